//! Events that other servers push.

use std::sync::{Mutex, mpsc::channel};

use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response, StatusCode};
use ruma::{OwnedEventId, UserId};
use serde_json::json;
use testkit::{Authority, FakeServer, Federation};
use tokio::sync::mpsc::unbounded_channel;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_does_not_answer_holds_up_nobody_else_in_a_room() {
    let authority = Authority::new();
    let server = Federation::builder(&authority).in_memory().start().await;
    let alice = server.user("alice").await;
    let room = alice.create_room(json!({ "preset": "public_chat", "room_version": "11" })).await;

    let (told, mut asked) = unbounded_channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let silent = FakeServer::start(&authority, &["127.0.0.1"], move |request: &Request<Bytes>| {
        if request.uri().path().contains("get_missing_events") {
            told.send(()).unwrap();
            released.lock().unwrap().recv().unwrap_err();
        }
        Response::new(Bytes::from_static(b"{}"))
    })
    .await;
    let name = format!("127.0.0.1:{}", silent.port());
    let slow = server.remote(&name).await;
    let slow = slow.join(&room, &UserId::parse(format!("@slow:{name}")).unwrap()).await;
    let quick = server.remote("quick.test").await.join(&room, &UserId::parse("@quick:quick.test").unwrap()).await;

    let withheld = OwnedEventId::try_from(format!("${}", "a".repeat(43))).unwrap();
    let orphan = slow.message(&[withheld], "what came before this is not to be had");
    let mut pushing = Box::pin(slow.push("1", vec![orphan]));
    tokio::select! {
        _ = &mut pushing => panic!("answered without asking for what is missing"),
        asked = asked.recv() => asked.unwrap(),
    }
    let message = quick.message(std::slice::from_ref(&quick.join.event_id), "hello");
    let answer = quick.push("1", vec![message.clone()]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["pdus"], json!({ message.event_id.as_str(): {} }));
    assert!((&mut pushing).now_or_never().is_none());

    drop(release);
    assert_eq!(pushing.await.status, StatusCode::OK);
    server.stop().await;
}
