//! Events that other servers push.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response, StatusCode};
use ruma::{OwnedEventId, UserId};
use serde_json::{Value, json};
use testkit::{Authority, FakeServer, Federation, escaped};
use tokio::sync::{Semaphore, mpsc::unbounded_channel};

#[tokio::test]
async fn a_server_that_does_not_answer_holds_up_nobody_else_in_a_room() {
    let authority = Authority::new();
    let server = Federation::builder(&authority).in_memory().start().await;
    let alice = server.user("alice").await;
    let room = alice.create_room(json!({ "preset": "public_chat", "room_version": "11" })).await;

    let (told, mut asked) = unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let shut = gate.clone();
    let silent = FakeServer::start_slow(&authority, &["127.0.0.1"], move |request: Request<Bytes>| {
        let (told, shut) = (told.clone(), shut.clone());
        Box::pin(async move {
            if request.uri().path().contains("get_missing_events") {
                told.send(()).unwrap();
                shut.acquire().await.unwrap().forget();
            }
            Response::new(Bytes::from_static(b"{}"))
        })
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

    gate.add_permits(100);
    assert_eq!(pushing.await.status, StatusCode::OK);
    server.stop().await;
}

/// With the newest events alone, what came late on another branch is in the state, and not lost to who reads back.
#[tokio::test]
async fn what_came_late_is_not_newer_than_what_it_did_not_follow() {
    let authority = Authority::new();
    let server = Federation::builder(&authority).in_memory().start().await;
    let alice = server.user("alice").await;
    let levels = json!({ "events": { "m.room.name": 0 } });
    let room = json!({ "preset": "public_chat", "room_version": "11", "power_level_content_override": levels });
    let room = alice.create_room(room).await;
    let bob = server.remote("late.test").await.join(&room, &UserId::parse("@bob:late.test").unwrap()).await;
    let after_join = std::slice::from_ref(&bob.join.event_id);

    alice.send_text(&room, "1", "one").await;
    let newest = alice.send_text(&room, "2", "two").await;
    let late = bob.message(after_join, "beside one");
    let name = bob.name(std::slice::from_ref(&late.event_id), "named beside two");
    assert_eq!(bob.push("1", vec![late.clone(), name.clone()]).await.status, StatusCode::OK);
    alice.send(&room, "org.example.noise", "3", json!({})).await;

    let filter = json!({ "room": { "timeline": { "limit": 1, "not_types": ["org.example.noise"] } } });
    let response = alice.get(&format!("/v3/sync?filter={}", escaped(&filter.to_string()))).await;
    let part = &response["rooms"]["join"][room.as_str()];
    assert_eq!(ids(&part["timeline"]["events"]), [newest.as_str()]);
    assert!(ids(&part["state"]["events"]).contains(&name.event_id.as_str()));
    assert_eq!(part["timeline"]["limited"], true);

    let before = part["timeline"]["prev_batch"].as_str().unwrap();
    let page = alice.get(&format!("/v3/rooms/{room}/messages?dir=b&from={before}")).await;
    let read = ids(&page["chunk"]);
    assert!([&name, &late].iter().all(|event| read.contains(&event.event_id.as_str())), "{read:?}");
    server.stop().await;
}

fn ids(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap()).collect()
}
