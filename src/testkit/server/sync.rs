//! `/sync` as clients meet it: its sections, filters and parameters.

use http::Method;
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json};
use testkit::{Client, TestServer, escaped};

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

/// A sync since `since`, with this filter and these further parameters.
async fn sync(client: &Client, since: Option<&str>, filter: &Value, more: &str) -> Value {
    let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
    client.get(&format!("/v3/sync?filter={}{since}{more}", escaped(&filter.to_string()))).await
}

fn token(answer: &Value) -> &str {
    answer["next_batch"].as_str().unwrap()
}

fn part<'a>(answer: &'a Value, section: &str, room: &RoomId) -> &'a Value {
    &answer["rooms"][section][room.as_str()]
}

/// What stands in a field of each of these events.
fn each<'a>(events: &'a Value, field: &str) -> Vec<&'a str> {
    events["events"].as_array().into_iter().flatten().filter_map(|event| event[field].as_str()).collect()
}

async fn named_room(server: &TestServer) -> (Client, Client, Client, OwnedRoomId) {
    let (alice, bob, carol) = (server.user("alice").await, server.user("bob").await, server.user("carol").await);
    let room = alice.create_room(json!({ "preset": "public_chat", "name": "Tea" })).await;
    bob.join(&room).await;
    carol.join(&room).await;
    (alice, bob, carol, room)
}

#[tokio::test]
async fn invites_knocks_and_their_ends_have_sections_of_their_own() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let rules = json!([{ "type": "m.room.join_rules", "content": { "join_rule": "knock" } }]);
    let room = alice.create_room(json!({ "name": "Tea", "initial_state": rules })).await;
    let start = bob.sync(None).await;
    bob.post(&format!("/v3/knock/{room}"), json!({ "reason": "hello" })).await;
    let knocked = bob.sync(Some(token(&start))).await;
    let shown = &part(&knocked, "knock", &room)["knock_state"];
    assert!(each(shown, "type").contains(&"m.room.name"));
    assert!(each(shown, "state_key").contains(&bob.user_id.as_str()));
    alice.invite(&room, &bob.user_id).await;
    let invited = bob.sync(Some(token(&knocked))).await;
    let shown = &part(&invited, "invite", &room)["invite_state"];
    assert!(each(shown, "type").contains(&"m.room.create"));
    assert!(each(shown, "state_key").contains(&bob.user_id.as_str()));
    assert_eq!(invited["rooms"]["knock"], json!({}));
    bob.leave(&room).await;
    let left = bob.sync(Some(token(&invited))).await;
    let timeline = &part(&left, "leave", &room)["timeline"];
    assert_eq!(each(timeline, "state_key"), [bob.user_id.as_str()]);
    // Who reads state after the timeline takes none from timelines, and would have the invite still.
    let left_after = sync(&bob, Some(token(&invited)), &json!({}), "&use_state_after=true").await;
    let state = &part(&left_after, "leave", &room)["state_after"];
    assert_eq!(state["events"][0]["content"]["membership"], "leave");
    assert_eq!(bob.sync(Some(token(&left))).await["rooms"], Value::Null, "told once");
    server.stop().await;
}

#[tokio::test]
async fn members_are_left_out_until_they_speak_where_that_is_asked_for() {
    let server = server().await;
    let (alice, bob, carol, room) = named_room(&server).await;
    bob.send_text(&room, "1", "hi").await;
    let lazy = json!({ "room": { "state": { "lazy_load_members": true }, "timeline": { "limit": 1 } } });
    let first = sync(&alice, None, &lazy, "").await;
    let members = |answer: &Value| {
        let events = part(answer, "join", &room)["state"]["events"].as_array().unwrap();
        let members = events.iter().filter(|event| event["type"] == "m.room.member");
        let mut keys: Vec<_> = members.map(|event| event["state_key"].as_str().unwrap().to_owned()).collect();
        keys.sort();
        keys
    };
    assert_eq!(members(&first), [alice.user_id.as_str(), bob.user_id.as_str()]);
    assert!(part(&first, "join", &room)["timeline"]["limited"].as_bool().unwrap());
    carol.send_text(&room, "1", "hi").await;
    let next = sync(&alice, Some(token(&first)), &lazy, "").await;
    assert_eq!(members(&next), [carol.user_id.as_str()]);
    server.stop().await;
}

#[tokio::test]
async fn all_state_or_that_after_the_timeline_is_sent_on_demand() {
    let server = server().await;
    let (alice, _, _, room) = named_room(&server).await;
    let none = json!({});
    let first = alice.sync(None).await;
    let full = sync(&alice, Some(token(&first)), &none, "&full_state=true").await;
    let state = each(&part(&full, "join", &room)["state"], "type");
    assert!(state.contains(&"m.room.create") && state.contains(&"m.room.name"), "{state:?}");
    alice.put(&format!("/v3/rooms/{room}/state/m.room.name"), json!({ "name": "Coffee" })).await;
    let after = sync(&alice, Some(token(&first)), &none, "&use_state_after=true").await;
    let after = part(&after, "join", &room);
    assert_eq!(after["state_after"]["events"][0]["content"]["name"], "Coffee");
    assert_eq!((each(&after["timeline"], "type"), after.get("state")), (vec!["m.room.name"], None));
    let before = sync(&alice, Some(token(&first)), &none, "").await;
    assert_eq!(part(&before, "join", &room)["state"]["events"], json!([]));
    // By this name clients that ask for it by that one know it, and by no other.
    let named = sync(&alice, Some(token(&first)), &none, "&org.matrix.msc4222.use_state_after=true").await;
    let named = part(&named, "join", &room);
    // They are older by now.
    let told = each(&named["org.matrix.msc4222.state_after"], "event_id");
    assert_eq!(told, each(&after["state_after"], "event_id"));
    assert_eq!((named.get("state"), named.get("state_after")), (None, None));
    server.stop().await;
}

#[tokio::test]
async fn a_filter_keeps_rooms_types_and_senders_out() {
    let server = server().await;
    let (alice, bob, _, room) = named_room(&server).await;
    let other = alice.create_room(json!({ "name": "Other" })).await;
    bob.send_text(&room, "1", "by bob").await;
    alice.send_text(&room, "1", "by alice").await;
    let ask = async |filter: Value| sync(&alice, None, &filter, "").await;
    let only = ask(json!({ "room": { "rooms": [other] } })).await;
    assert_eq!(only["rooms"]["join"].as_object().unwrap().keys().collect::<Vec<_>>(), [other.as_str()]);
    let quiet = ask(json!({ "room": { "timeline": { "not_rooms": [room] } } })).await;
    assert_eq!(each(&part(&quiet, "join", &room)["timeline"], "type"), Vec::<&str>::new());
    assert!(!each(&part(&quiet, "join", &other)["timeline"], "type").is_empty());
    let types = ask(json!({ "room": {
        "timeline": { "types": ["m.room.message"], "not_senders": [bob.user_id] }, "state": { "types": ["m.room.n*"] },
    } }))
    .await;
    let room_part = part(&types, "join", &room);
    assert_eq!(each(&room_part["timeline"], "sender"), [alice.user_id.as_str()]);
    assert_eq!(each(&room_part["state"], "type"), ["m.room.name"]);
    let stored = alice.post(&format!("/v3/user/{}/filter", alice.user_id), json!({ "room": { "rooms": [] } })).await;
    let by_id = alice.get(&format!("/v3/sync?filter={}", stored["filter_id"].as_str().unwrap())).await;
    assert_eq!(by_id.get("rooms"), None);
    for bad in ["filter=unknown", "filter=%7B", "since=nonsense", "org.matrix.msc4222.use_state_after=1"] {
        let answer = alice.call(Method::GET, &format!("/v3/sync?{bad}"), None).await;
        assert_eq!((answer.status.as_u16(), answer.json()["errcode"].is_string()), (400, true), "{bad}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_clients_take_for_no_change_when_it_is_missing_is_always_there() {
    let server = server().await;
    let alice = server.user("alice").await;
    let mut answer = alice.sync(None).await;
    for _ in 0..2 {
        assert_eq!(answer["device_one_time_keys_count"], json!({ "signed_curve25519": 0 }));
        assert_eq!(answer["device_unused_fallback_key_types"], json!([]));
        answer = alice.sync(Some(token(&answer))).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn those_who_share_a_room_see_each_other_come_unless_they_hide() {
    let server = server().await;
    let (alice, bob, carol, _) = named_room(&server).await;
    let stranger = server.user("dave").await;
    let start = alice.sync(None).await;
    bob.sync(None).await;
    stranger.sync(None).await;
    carol.get("/v3/sync?set_presence=offline").await;
    let seen = alice.sync(Some(token(&start))).await;
    assert_eq!(each(&seen["presence"], "sender"), [bob.user_id.as_str()]);
    assert_eq!(seen["presence"]["events"][0]["content"]["presence"], "online");
    server.stop().await;
}

#[tokio::test]
async fn who_comes_online_wakes_those_who_wait() {
    let server = server().await;
    let (alice, bob, _, _) = named_room(&server).await;
    let first = alice.sync(None).await;
    let start = alice.sync(Some(token(&first))).await;
    let path = format!("/v3/sync?since={}&timeout=60000", token(&start));
    let idle = server.server().wired().stop.receiver_count();
    let waiting = tokio::spawn(async move { alice.get(&path).await });
    while server.server().wired().stop.receiver_count() == idle {
        tokio::task::yield_now().await;
    }
    bob.sync(None).await;
    let seen = waiting.await.unwrap();
    assert_eq!(each(&seen["presence"], "sender"), [bob.user_id.as_str()]);
    server.stop().await;
}

#[tokio::test]
async fn messages_to_a_device_stay_until_it_comes_with_their_token() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let start = bob.sync(None).await;
    let send = async |n: u64| {
        let messages = json!({ "messages": { &bob.user_id: { "*": { "n": n } } } });
        alice.put(&format!("/v3/sendToDevice/m.test/{n}"), messages).await;
    };
    let numbers = |answer: &Value| -> Vec<u64> {
        let events = answer["to_device"]["events"].as_array().into_iter().flatten();
        events.filter_map(|event| event["content"]["n"].as_u64()).collect()
    };
    send(1).await;
    for lost in 0..2 {
        assert_eq!(numbers(&bob.sync(Some(token(&start))).await), [1], "answer {lost} is lost");
    }
    let first = bob.sync(Some(token(&start))).await;
    send(2).await;
    let second = bob.sync(Some(token(&first))).await;
    assert_eq!(numbers(&second), [2]);
    assert_eq!(numbers(&bob.sync(None).await), [2], "the first one is gone, the second one may be lost");
    let third = bob.sync(Some(token(&second))).await;
    assert!(numbers(&third).is_empty());
    assert!(numbers(&bob.sync(None).await).is_empty(), "all are gone");
    send(3).await;
    assert_eq!(numbers(&bob.sync(Some(token(&third))).await), [3], "what comes after a token without messages");
    server.stop().await;
}
