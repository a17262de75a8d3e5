//! Typing, receipts, markers, presence, push rules and counts as clients meet them.

use http::Method;
use ruma::OwnedRoomId;
use serde_json::{Value, json};
use testkit::{Answer, Client, TestServer};

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.errcode())
}

async fn room_of_two(server: &TestServer) -> (Client, Client, OwnedRoomId) {
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    bob.join(&room).await;
    (alice, bob, room)
}

/// The part of a room in a sync that begins anew.
async fn part(client: &Client, room: &OwnedRoomId) -> Value {
    // Unread counts by thread.
    let filter = "%7B%22room%22:%7B%22timeline%22:%7B%22unread_thread_notifications%22:true%7D%7D%7D";
    client.get(&format!("/v3/sync?filter={filter}")).await["rooms"]["join"][room.as_str()].take()
}

fn ephemeral<'a>(part: &'a Value, kind: &str) -> Option<&'a Value> {
    let events = part["ephemeral"]["events"].as_array().into_iter().flatten();
    events.clone().find(|event| event["type"] == kind).map(|event| &event["content"])
}

#[tokio::test]
async fn who_types_is_told_to_the_room_and_only_members_type() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let path = |user: &Client| format!("/v3/rooms/{room}/typing/{}", user.user_id);
    bob.put(&path(&bob), json!({ "typing": true, "timeout": 30_000 })).await;
    assert_eq!(ephemeral(&part(&alice, &room).await, "m.typing"), Some(&json!({ "user_ids": [bob.user_id] })));
    bob.put(&path(&bob), json!({ "typing": false })).await;
    assert_eq!(ephemeral(&part(&alice, &room).await, "m.typing"), None);
    let types = Some(json!({ "typing": true }));
    let for_bob = alice.call(Method::PUT, &path(&bob), types.clone()).await;
    assert_eq!(refused(&for_bob), (403, "M_FORBIDDEN".into()));
    let carol = server.user("carol").await;
    assert_eq!(refused(&carol.call(Method::PUT, &path(&carol), types).await), (403, "M_FORBIDDEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn receipts_take_counts_down_and_private_ones_stay_private() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    alice.send_text(&room, "1", "one").await;
    let mentions = json!({ "msgtype": "m.text", "body": "bob", "m.mentions": { "user_ids": [bob.user_id] } });
    let second = alice.send(&room, "m.room.message", "2", mentions).await;
    let counts = |part: &Value| part["unread_notifications"].clone();
    assert_eq!(counts(&part(&bob, &room).await), json!({ "notification_count": 2, "highlight_count": 1 }));
    let receipt = |kind: &str| format!("/v3/rooms/{room}/receipt/{kind}/{second}");
    bob.post(&receipt("m.read.private"), json!({})).await;
    assert_eq!(counts(&part(&bob, &room).await), json!({ "notification_count": 0, "highlight_count": 0 }));
    assert_eq!(ephemeral(&part(&alice, &room).await, "m.receipt"), None);
    bob.post(&receipt("m.read"), json!({})).await;
    let seen = part(&alice, &room).await;
    assert!(ephemeral(&seen, "m.receipt").unwrap()[second.as_str()]["m.read"][bob.user_id.as_str()]["ts"].is_u64());
    for (path, body, expected) in [
        (receipt("m.odd"), json!({}), (400, "M_INVALID_PARAM")),
        (receipt("m.read"), json!({ "thread_id": "" }), (400, "M_INVALID_PARAM")),
        (receipt("m.fully_read"), json!({ "thread_id": "main" }), (400, "M_INVALID_PARAM")),
        (format!("/v3/rooms/{room}/receipt/m.read/$unknown"), json!({}), (404, "M_NOT_FOUND")),
        ("/v3/rooms/!no:test.example/receipt/m.read/$unknown".to_owned(), json!({}), (403, "M_FORBIDDEN")),
    ] {
        let answer = bob.call(Method::POST, &path, Some(body)).await;
        assert_eq!(refused(&answer), (expected.0, expected.1.into()), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn threads_are_counted_and_read_by_themselves() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let root = bob.send_text(&room, "1", "root").await;
    let relates_to = json!({ "rel_type": "m.thread", "event_id": root });
    let content = json!({ "msgtype": "m.text", "body": "reply", "m.relates_to": relates_to });
    let reply = alice.send(&room, "m.room.message", "2", content).await;
    alice.send_text(&room, "3", "main").await;
    let seen = part(&bob, &room).await;
    assert_eq!(seen["unread_notifications"]["notification_count"], 1);
    assert_eq!(seen["unread_thread_notifications"][root.as_str()]["notification_count"], 1);
    bob.post(&format!("/v3/rooms/{room}/receipt/m.read/{reply}"), json!({ "thread_id": root })).await;
    let seen = part(&bob, &room).await;
    assert_eq!(seen["unread_notifications"]["notification_count"], 1);
    assert_eq!(seen.get("unread_thread_notifications"), None);
    server.stop().await;
}

#[tokio::test]
async fn markers_move_forward_and_all_or_none_of_a_request() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let first = alice.send_text(&room, "1", "one").await;
    let second = alice.send_text(&room, "2", "two").await;
    let path = format!("/v3/rooms/{room}/read_markers");
    let marker = format!("/v3/user/{}/rooms/{room}/account_data/m.fully_read", bob.user_id);
    let half = bob.call(Method::POST, &path, Some(json!({ "m.fully_read": first, "m.read": "$unknown" }))).await;
    assert_eq!(refused(&half), (404, "M_NOT_FOUND".into()));
    assert_eq!(refused(&bob.call(Method::GET, &marker, None).await), (404, "M_NOT_FOUND".into()));
    bob.post(&path, json!({ "m.fully_read": second, "m.read": first })).await;
    bob.post(&path, json!({ "m.fully_read": first })).await;
    assert_eq!(bob.get(&marker).await, json!({ "event_id": second }));
    assert_eq!(part(&bob, &room).await["unread_notifications"]["notification_count"], 1);
    server.stop().await;
}

#[tokio::test]
async fn presence_is_told_to_who_shares_a_room() {
    let server = server().await;
    let (alice, bob, _) = room_of_two(&server).await;
    let carol = server.user("carol").await;
    let path = format!("/v3/presence/{}/status", bob.user_id);
    bob.put(&path, json!({ "presence": "unavailable", "status_msg": "tea" })).await;
    let seen = alice.get(&path).await;
    assert_eq!((&seen["presence"], &seen["status_msg"]), (&json!("unavailable"), &json!("tea")));
    assert_eq!(refused(&carol.call(Method::GET, &path, None).await), (403, "M_FORBIDDEN".into()));
    let foreign = alice.call(Method::PUT, &path, Some(json!({ "presence": "online" }))).await;
    assert_eq!(refused(&foreign), (403, "M_FORBIDDEN".into()));
    for bad in [json!({ "presence": "odd" }), json!({ "presence": "online", "status_msg": "x".repeat(3000) })] {
        let answer = bob.call(Method::PUT, &path, Some(bad)).await;
        assert_eq!(refused(&answer), (400, "M_INVALID_PARAM".into()));
    }
    server.stop().await;
}

#[tokio::test]
async fn push_rules_are_made_changed_ordered_and_removed() {
    let server = server().await;
    let (alice, bob, room) = room_of_two(&server).await;
    let path = |rest: &str| format!("/v3/pushrules/global/{rest}");
    bob.put(&path("content/tea"), json!({ "pattern": "tea", "actions": ["notify", { "set_tweak": "highlight" }] }))
        .await;
    bob.put(&path("content/coffee?after=tea"), json!({ "pattern": "coffee", "actions": [] })).await;
    let order = async || {
        let rules = bob.get("/v3/pushrules/").await;
        let own = rules["global"]["content"].as_array().unwrap().iter().filter(|rule| rule["default"] == false);
        own.map(|rule| rule["rule_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(order().await, ["tea", "coffee"]);
    alice.send_text(&room, "1", "some tea").await;
    assert_eq!(part(&bob, &room).await["unread_notifications"]["highlight_count"], 1);
    let notified = bob.get("/v3/notifications?only=highlight").await;
    assert_eq!(notified["notifications"][0]["event"]["content"]["body"], "some tea");
    bob.put(&path("content/tea/enabled"), json!({ "enabled": false })).await;
    assert_eq!(bob.get(&path("content/tea/enabled")).await, json!({ "enabled": false }));
    assert_eq!(part(&bob, &room).await["unread_notifications"]["highlight_count"], 0);
    bob.put(&path("content/tea/actions"), json!({ "actions": ["notify"] })).await;
    assert_eq!(bob.get(&path("content/tea")).await["actions"], json!(["notify"]));
    bob.delete(&path("content/tea")).await;
    assert_eq!(order().await, ["coffee"]);
    let gone = bob.call(Method::GET, &path("content/tea"), None).await;
    assert_eq!(refused(&gone), (404, "M_NOT_FOUND".into()));
    let default = bob.call(Method::DELETE, &path("override/.m.rule.master"), None).await;
    assert_eq!(default.status.as_u16(), 400);
    let data = format!("/v3/user/{}/account_data/m.push_rules", alice.user_id);
    assert_eq!(alice.get(&data).await, alice.get("/v3/pushrules/").await, "also of who never changed one");
    server.stop().await;
}

#[tokio::test]
async fn a_room_is_marked_as_unread() {
    let server = server().await;
    let (_, bob, room) = room_of_two(&server).await;
    let path = format!("/v3/user/{}/rooms/{room}/account_data/m.marked_unread", bob.user_id);
    bob.put(&path, json!({ "unread": true })).await;
    let data = &part(&bob, &room).await["account_data"]["events"];
    assert_eq!(data, &json!([{ "type": "m.marked_unread", "content": { "unread": true } }]));
    server.stop().await;
}
