//! What is sent to other servers, and what administrators see of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base::Clock;
use bytes::Bytes;
use federation::queue::Keep;
use http::{Method, Response, StatusCode};
use ruma::{OwnedServerName, ServerName};
use serde_json::{Value, json};
use testkit::{Answer, Authority, Client, FakeServer, TestServer};
use tokio::sync::mpsc;

const ADMIN: &str = "/_synapse/admin/v1/federation/destinations";

async fn call(server: &TestServer, by: &Client, method: Method, path: &str) -> Answer {
    server.http().send(method, &format!("{ADMIN}{path}"), Some(&by.token), "").await
}

/// A server that works when `works` says so; what it is sent arrives in the channel as path and body.
async fn other(
    authority: &Authority,
    works: Arc<AtomicBool>,
) -> (FakeServer, OwnedServerName, mpsc::UnboundedReceiver<(String, Value)>) {
    let (told, got) = mpsc::unbounded_channel();
    let answer = move |request: &http::Request<Bytes>| {
        let works = works.load(Ordering::SeqCst);
        if request.method() == Method::PUT {
            let body = serde_json::from_slice(request.body()).unwrap();
            told.send((request.uri().path().to_owned(), body)).unwrap();
        }
        let mut response = Response::new(Bytes::from_static(b"{\"pdus\":{}}"));
        *response.status_mut() = if works { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        response
    };
    let server = FakeServer::start(authority, &["localhost", "127.0.0.1"], answer).await;
    let name = ServerName::parse(format!("127.0.0.1:{}", server.port())).unwrap();
    (server, name, got)
}

/// Waits for what follows an answer that was sent.
async fn until(server: &TestServer, by: &Client, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let status = call(server, by, Method::GET, path).await.json();
            if fits(&status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking).await.unwrap()
}

#[tokio::test]
async fn an_administrator_has_a_failing_server_tried_again_and_it_gets_the_same_transaction() {
    let authority = Authority::new();
    let works = Arc::new(AtomicBool::new(false));
    let (_other, name, mut got) = other(&authority, works.clone()).await;
    let root = authority.file();
    // The clock stands still, so nothing is tried again by itself.
    let builder = TestServer::builder().in_memory().clock(Clock::fixed(1_700_000_000_000));
    let builder = builder.config(|config| {
        config.federation.allow_private_addresses = true;
        config.federation.extra_root_certificates = vec![root];
    });
    let server = builder.start().await;
    let (admin, mallory) = (server.user("admin").await, server.user("mallory").await);
    let state = server.server().wired().state.clone();
    state.accounts.update(&admin.user_id, |row| row.admin = true).await.unwrap();

    let edu = json!({ "edu_type": "org.example.test", "content": { "n": 1 } });
    state.outgoing.send_edu([name.clone()], &edu, Keep::Durable).await.unwrap();
    let (path, body) = got.recv().await.unwrap();
    assert!(path.starts_with("/_matrix/federation/v1/send/"));
    assert_eq!((&body["edus"], &body["pdus"], &body["origin"]), (&json!([edu]), &json!([]), &json!("test.example")));

    let one = format!("/{name}");
    let status = until(&server, &admin, &one, |status| !status["failure_ts"].is_null()).await;
    assert_eq!(status["destination"], name.as_str());
    assert!(status["retry_interval"].as_u64().unwrap() > 0 && status["waiting"] == true);
    let all = call(&server, &admin, Method::GET, "?destination=127").await.ok();
    assert_eq!((&all["total"], &all["destinations"]), (&json!(1), &json!([status])));
    assert_eq!(call(&server, &mallory, Method::GET, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(call(&server, &admin, Method::GET, "/unknown.test").await.status, StatusCode::NOT_FOUND);

    works.store(true, Ordering::SeqCst);
    let reset = format!("{one}/reset_connection");
    assert_eq!(call(&server, &mallory, Method::POST, &reset).await.status, StatusCode::FORBIDDEN);
    assert_eq!(call(&server, &admin, Method::POST, &reset).await.ok(), json!({}));
    assert_eq!(got.recv().await.unwrap(), (path, body));
    let status = until(&server, &admin, &one, |status| status["failure_ts"].is_null()).await;
    assert_eq!((&status["retry_interval"], &status["waiting"]), (&json!(0), &json!(false)));
    assert_eq!(call(&server, &admin, Method::POST, &reset).await.status, StatusCode::BAD_REQUEST);
    server.stop().await;
}
