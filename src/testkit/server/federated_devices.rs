//! Devices and keys across two servers, as clients meet them.

use ruma::{OwnedRoomId, OwnedServerName};
use serde_json::{Value, json};
use testkit::{Client, Federation};

async fn device(client: &Client) -> String {
    client.get("/v3/account/whoami").await["device_id"].as_str().unwrap().to_owned()
}

async fn upload(client: &Client, key: &str) {
    let device = device(client).await;
    let name = format!("ed25519:{device}");
    let keys = json!({
        "user_id": client.user_id, "device_id": device, "algorithms": [], "signatures": {}, "keys": { name: key },
    });
    let one_time = json!({ format!("signed_curve25519:{key}"): { "key": key } });
    client.post("/v3/keys/upload", json!({ "device_keys": keys, "one_time_keys": one_time })).await;
}

async fn query(client: &Client, other: &Client) -> Value {
    let answer = client.post("/v3/keys/query", json!({ "device_keys": { other.user_id.as_str(): [] } })).await;
    answer["device_keys"][other.user_id.as_str()].clone()
}

/// Syncs until the lists name `other` under `what`; the next token.
async fn told(client: &Client, since: &str, what: &str, other: &Client) -> String {
    let mut since = since.to_owned();
    for _ in 0..20 {
        let news = client.get(&format!("/v3/sync?since={since}&timeout=1000")).await;
        since = news["next_batch"].as_str().unwrap().to_owned();
        let names = news["device_lists"][what].as_array().cloned().unwrap_or_default();
        if names.iter().any(|name| name == other.user_id.as_str()) {
            return since;
        }
    }
    panic!("{} was not told that {} is {what}", client.user_id, other.user_id);
}

async fn now(client: &Client) -> String {
    client.sync(None).await["next_batch"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn changes_reach_those_who_share_a_room_also_after_a_rejoin() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    upload(&bob, "1").await;
    let room: OwnedRoomId = alice.create_room(json!({ "preset": "public_chat" })).await;
    let since = now(&alice).await;
    bob.join_via(&room, &servers.one).await;
    let since = told(&alice, &since, "changed", &bob).await;
    let of_bob = device(&bob).await;
    let key = |keys: Value| keys[&of_bob]["keys"][format!("ed25519:{of_bob}")].clone();
    assert_eq!(key(query(&alice, &bob).await), "1");
    upload(&bob, "2").await;
    let since = told(&alice, &since, "changed", &bob).await;
    assert_eq!(key(query(&alice, &bob).await), "2");
    bob.leave(&room).await;
    let since = told(&alice, &since, "left", &bob).await;
    upload(&bob, "3").await;
    bob.join_via(&room, &servers.one).await;
    told(&alice, &since, "changed", &bob).await;
    assert_eq!(key(query(&alice, &bob).await), "3");
    servers.stop().await;
}

#[tokio::test]
async fn one_time_keys_are_claimed_and_messages_sent_to_another_server() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    upload(&bob, "1").await;
    let (of_bob, user) = (device(&bob).await, bob.user_id.as_str());
    let wanted = json!({ "one_time_keys": { user: { &of_bob: "signed_curve25519" } } });
    let claimed = alice.post("/v3/keys/claim", wanted.clone()).await;
    assert_eq!(claimed["one_time_keys"][user][&of_bob]["signed_curve25519:1"]["key"], "1");
    let again = alice.post("/v3/keys/claim", wanted).await;
    assert!(again["one_time_keys"][user][&of_bob].is_null());

    let since = now(&bob).await;
    let body = json!({ "messages": { user: { "*": { "n": 1 } } } });
    for _ in 0..2 {
        alice.put("/v3/sendToDevice/m.test/t1", body.clone()).await;
    }
    let news = bob.get(&format!("/v3/sync?since={since}&timeout=10000")).await;
    assert_eq!(
        news["to_device"]["events"],
        json!([{ "type": "m.test", "sender": alice.user_id, "content": { "n": 1 } }])
    );

    let gone: OwnedServerName = "127.0.0.1:1".try_into().unwrap();
    let wanted = json!({ "device_keys": { format!("@carol:{gone}"): [], user: [] }, "timeout": 2000 });
    let answer = alice.post("/v3/keys/query", wanted).await;
    assert!(answer["failures"][gone.as_str()].is_object(), "{answer}");
    assert!(answer["device_keys"][user][&of_bob].is_object());
    servers.stop().await;
}
