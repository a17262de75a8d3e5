//! Our keys, as others get them, and those of others that we vouch for.

use federation::keys::Document;
use hearth::Error;
use http::{Method, StatusCode};
use ruma::server_name;
use serde_json::{Value, json};
use testkit::TestServer;

async fn get(server: &TestServer, path: &str) -> Value {
    server.http().send(Method::GET, path, None, "").await.ok()
}

fn read(document: &Value) -> Document {
    Document::read(document.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn our_keys_are_published() {
    let server = TestServer::builder().in_memory().start().await;
    let document = read(&get(&server, "/_matrix/key/v2/server").await);
    assert_eq!(document.server, "test.example");
    let own = server.server().wired().state.server_keys.own().signer().clone();
    assert_eq!(document.keys[own.key_id()], own.public_key());
    let named = get(&server, &format!("/_matrix/key/v2/server/{}", own.key_id())).await;
    assert_eq!(read(&named).keys, document.keys);
    server.stop().await;
}

#[tokio::test]
async fn keys_of_others_are_given_with_our_signature() {
    let server = TestServer::builder().in_memory().start().await;
    let remote = server.remote("remote.test").await;
    let ours = read(&get(&server, "/_matrix/key/v2/server").await).keys;
    let body = json!({ "server_keys": { "remote.test": { "ed25519:a1": { "minimum_valid_until_ts": 5 } } } });
    let post = server.http().send(Method::POST, "/_matrix/key/v2/query", None, body.to_string()).await.ok();
    for answer in [post, get(&server, "/_matrix/key/v2/query/remote.test?minimum_valid_until_ts=5").await] {
        let documents = answer["server_keys"].as_array().unwrap();
        assert_eq!(documents.len(), 1);
        let document = read(&documents[0]);
        assert_eq!(document.keys[remote.keys.signer().key_id()], remote.keys.signer().public_key());
        assert!(document.is_signed_by(server_name!("test.example"), &ours));
    }
    let none = server.http().send(Method::POST, "/_matrix/key/v2/query", None, r#"{"server_keys":{}}"#).await.ok();
    assert_eq!(none, json!({ "server_keys": [] }));
    server.stop().await;
}

#[tokio::test]
async fn a_question_about_too_many_servers_is_refused() {
    let server = TestServer::builder().in_memory().start().await;
    let servers: Value = (0..101).map(|n| (format!("s{n}.test"), json!({}))).collect::<serde_json::Map<_, _>>().into();
    let body = json!({ "server_keys": servers }).to_string();
    let answer = server.http().send(Method::POST, "/_matrix/key/v2/query", None, body).await;
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE"));
    server.stop().await;
}

#[tokio::test]
async fn the_version_is_ours() {
    let server = TestServer::builder().in_memory().start().await;
    let answer = get(&server, "/_matrix/federation/v1/version").await;
    assert_eq!(answer, json!({ "server": { "name": "Hearth", "version": env!("CARGO_PKG_VERSION") } }));
    server.stop().await;
}

#[tokio::test]
async fn a_stopped_server_gets_a_new_key_and_publishes_the_old_one() {
    let server = TestServer::new().await;
    let before = read(&get(&server, "/_matrix/key/v2/server").await);
    let config = server.config().clone();
    let error = hearth::rotate_signing_key(&config).unwrap_err();
    assert!(matches!(error, Error::Running(_)), "{error}");

    let stopped = server.pause().await;
    let said = hearth::rotate_signing_key(&config).unwrap();
    let server = stopped.start().await;
    let after = read(&get(&server, "/_matrix/key/v2/server").await);
    let (old, public) = before.keys.first_key_value().unwrap();
    assert!(said.contains(old.as_str()), "{said}");
    assert!(!after.keys.contains_key(old) && after.keys.len() == 1);
    assert_eq!(after.old[old].0, *public);
    server.stop().await;
}
