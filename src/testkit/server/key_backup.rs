//! Key backups as clients see them.

use http::Method;
use serde_json::{Map, Value, json};
use testkit::{Client, TestServer};

fn session(index: u64) -> Value {
    let data = json!({ "ciphertext": "c\"\\u0000", "ephemeral": "e", "mac": "m", "org.example": [1, { "a": null }] });
    json!({ "first_message_index": index, "forwarded_count": 0, "is_verified": true, "session_data": data })
}

fn sessions(count: u64) -> Value {
    let sessions: Map<_, _> = (0..count).map(|n| (format!("session \"{n:03}\""), session(n))).collect();
    json!({ "sessions": sessions })
}

async fn begin(client: &Client) -> String {
    let body = json!({ "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": { "public_key": "k" } });
    client.post("/v3/room_keys/version", body).await["version"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_backup_comes_back_as_it_was_put_whole_by_room_and_by_session() {
    let server = TestServer::builder().in_memory().start().await;
    let alice = server.user("alice").await;
    let version = begin(&alice).await;
    let all = format!("/v3/room_keys/keys?version={version}");
    assert_eq!(alice.get(&all).await, json!({ "rooms": {} }));
    let of_room = |room: &str| format!("/v3/room_keys/keys/{room}?version={version}");
    assert_eq!(alice.get(&of_room("!a:test.example")).await, json!({ "sessions": {} }));
    // More than are read at a time, and as many.
    let rooms =
        json!({ "!a:test.example": sessions(300), "!b:test.example": sessions(1), "!c:test.example": sessions(128) });
    let put = alice.put(&all, json!({ "rooms": rooms })).await;
    assert_eq!(put["count"], 429);
    assert_eq!(alice.get(&all).await, json!({ "rooms": rooms }));
    for room in ["!a:test.example", "!b:test.example", "!c:test.example"] {
        assert_eq!(alice.get(&of_room(room)).await, rooms[room], "{room}");
    }
    let one = format!("/v3/room_keys/keys/!a:test.example/session%20%22007%22?version={version}");
    assert_eq!(alice.get(&one).await, session(7));
    assert_eq!(alice.delete(&one).await["count"], 428);
    assert_eq!(alice.delete(&of_room("!a:test.example")).await["count"], 129);
    let gone = alice.call(Method::GET, &one, None).await;
    assert_eq!((gone.status.as_u16(), gone.errcode()), (404, "M_NOT_FOUND".to_owned()));
    assert_eq!(alice.delete(&all).await["count"], 0);
    assert_eq!(alice.get(&all).await, json!({ "rooms": {} }));
    let unknown = alice.call(Method::GET, "/v3/room_keys/keys?version=77", None).await;
    assert_eq!((unknown.status.as_u16(), unknown.errcode()), (404, "M_NOT_FOUND".to_owned()));
    server.stop().await;
}
