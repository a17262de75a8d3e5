//! What Element Web and Cinny ask for and others do not.

use serde_json::{Value, json};
use testkit::TestServer;

#[tokio::test]
async fn calls_get_a_turn_server_where_there_is_one() {
    let server = TestServer::new().await;
    let alice = server.user("alice").await;
    assert_eq!(alice.get("/v3/voip/turnServer").await, json!({}));
    server.stop().await;

    let builder = TestServer::builder().config(|config| {
        config.turn.uris = vec!["turn:turn.hearth.test".to_owned()];
        config.turn.shared_secret = Some("secret".to_owned());
    });
    let server = builder.start().await;
    let alice = server.user("alice").await;
    let access = alice.get("/v3/voip/turnServer").await;
    assert_eq!((&access["uris"], &access["ttl"]), (&json!(["turn:turn.hearth.test"]), &json!(3600)));
    assert!(access["username"].as_str().unwrap().ends_with(alice.user_id.as_str()), "{access}");
    server.stop().await;
}

#[tokio::test]
async fn a_room_is_summarized_under_the_older_path_too() {
    let server = TestServer::new().await;
    let (alice, room) = server.user_in_room("alice").await;
    let summary = alice.get(&format!("/unstable/im.nheko.summary/summary/{room}?via=elsewhere.test")).await;
    assert_eq!(summary, alice.get(&format!("/v1/room_summary/{room}")).await);
    server.stop().await;
}

#[tokio::test]
async fn only_the_device_that_sent_an_event_gets_its_transaction_id_by_sync() {
    let server = TestServer::new().await;
    let (phone, room) = server.user_in_room("alice").await;
    let laptop = server.login("alice").await;
    phone.send_text(&room, "txn", "hello").await;
    for (device, txn) in [(&phone, json!("txn")), (&laptop, Value::Null)] {
        let answer = device.sync(None).await;
        let events = answer["rooms"]["join"][room.as_str()]["timeline"]["events"].as_array().unwrap().clone();
        let last = events.last().unwrap();
        assert_eq!((&last["content"]["body"], &last["unsigned"]["transaction_id"]), (&json!("hello"), &txn));
    }
    server.stop().await;
}
