//! Typing, receipts and presence across two servers, as clients meet them.

use ruma::OwnedRoomId;
use serde_json::{Value, json};
use testkit::{Client, Federation};

/// Somebody who syncs.
struct Reader<'a> {
    client: &'a Client,
    since: String,
}

impl<'a> Reader<'a> {
    async fn new(client: &'a Client) -> Self {
        let since = client.sync(None).await["next_batch"].as_str().unwrap().to_owned();
        Self { client, since }
    }

    /// What `found` finds in what comes next.
    async fn waits<T>(&mut self, found: impl Fn(&Value) -> Option<T>) -> T {
        for _ in 0..60 {
            let news = self.client.get(&format!("/v3/sync?since={}&timeout=1000", self.since)).await;
            self.since = news["next_batch"].as_str().unwrap().to_owned();
            if let Some(found) = found(&news) {
                return found;
            }
        }
        panic!("{} was not told", self.client.user_id);
    }
}

/// The content of an event of this type among `events`.
fn content(events: &Value, kind: &str) -> Option<Value> {
    let event = events.as_array()?.iter().find(|event| event["type"] == kind)?;
    Some(event["content"].clone())
}

fn typing(news: &Value, room: &OwnedRoomId) -> Option<Value> {
    content(&news["rooms"]["join"][room.as_str()]["ephemeral"]["events"], "m.typing")
}

/// Alice on the first server and Bob on the second, in a room.
async fn pair(servers: &Federation) -> (Client, Client, OwnedRoomId) {
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    bob.join_via(&room, &servers.one).await;
    (alice, bob, room)
}

async fn types(client: &Client, room: &OwnedRoomId, typing: bool) {
    let path = format!("/v3/rooms/{room}/typing/{}", client.user_id);
    client.put(&path, json!({ "typing": typing, "timeout": 30_000 })).await;
}

async fn is_there(client: &Client, message: &str) {
    let path = format!("/v3/presence/{}/status", client.user_id);
    client.put(&path, json!({ "presence": "online", "status_msg": message })).await;
}

#[tokio::test]
async fn typing_and_public_receipts_are_told_to_other_servers_and_presence_is_not_by_default() {
    let servers = Federation::pair().await;
    let (alice, bob, room) = pair(&servers).await;
    let mut reader = Reader::new(&bob).await;
    is_there(&alice, "tea").await;
    types(&alice, &room, true).await;
    let of_alice = |news: &Value| news["presence"]["events"].to_string().contains(alice.user_id.as_str());
    let told = reader.waits(|news| typing(news, &room).map(|told| (told, of_alice(news)))).await;
    assert_eq!(told, (json!({ "user_ids": [alice.user_id] }), false));
    types(&alice, &room, false).await;
    let told = reader.waits(|news| typing(news, &room).map(|told| (told, of_alice(news)))).await;
    assert_eq!(told, (json!({ "user_ids": [] }), false));

    let mut writer = Reader::new(&alice).await;
    let (first, second) = (bob.send_text(&room, "1", "one").await, bob.send_text(&room, "2", "two").await);
    writer
        .waits(|news| {
            let timeline = &news["rooms"]["join"][room.as_str()]["timeline"]["events"];
            timeline.to_string().contains(second.as_str()).then_some(())
        })
        .await;
    alice.post(&format!("/v3/rooms/{room}/receipt/m.read.private/{second}"), json!({})).await;
    alice.post(&format!("/v3/rooms/{room}/receipt/m.read/{first}"), json!({})).await;
    let receipts = |news: &Value| content(&news["rooms"]["join"][room.as_str()]["ephemeral"]["events"], "m.receipt");
    let told = reader.waits(receipts).await;
    assert!(told[first.as_str()]["m.read"][alice.user_id.as_str()].is_object(), "{told}");
    assert!(!told.to_string().contains("private"), "{told}");
    servers.stop().await;
}

#[tokio::test]
async fn presence_is_told_to_other_servers_where_that_is_wanted() {
    let servers = Federation::pair_with(|config| config.presence.federate = true).await;
    let (alice, bob, _) = pair(&servers).await;
    let mut reader = Reader::new(&bob).await;
    is_there(&alice, "tea").await;
    let told = reader
        .waits(|news| {
            let all = news["presence"]["events"].as_array()?;
            let of_alice = all.iter().find(|event| event["sender"] == alice.user_id.as_str())?;
            Some(of_alice["content"].clone()).filter(|content| content["status_msg"] == "tea")
        })
        .await;
    assert_eq!(told["presence"], "online");
    servers.stop().await;
}
