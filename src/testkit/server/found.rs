//! Searching, delaying, notices, filtered invites, followed threads and previews, as clients meet them.

use base::Clock;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Client, TestServer};

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

async fn search(client: &Client, events: Value) -> Value {
    let answer = client.post("/v3/search", json!({ "search_categories": { "room_events": events } })).await;
    answer["search_categories"]["room_events"].clone()
}

fn bodies(found: &Value) -> Vec<String> {
    let results = found["results"].as_array().unwrap().iter();
    results.map(|result| result["result"]["content"]["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_search_finds_what_its_user_may_see_and_counts_nothing_else() {
    let server = server().await;
    let (alice, bob, eve) = (server.user("alice").await, server.user("bob").await, server.user("eve").await);
    let joined = json!([{ "type": "m.room.history_visibility", "state_key": "", "content": { "history_visibility": "joined" } }]);
    let room = alice.create_room(json!({ "preset": "public_chat", "initial_state": joined })).await;
    alice.send_text(&room, "1", "secret tea").await;
    bob.join(&room).await;
    for n in 2..5 {
        alice.send_text(&room, &n.to_string(), &format!("tea number {n}")).await;
    }
    let recent = json!({ "search_term": "TEA", "order_by": "recent", "filter": { "limit": 2 } });
    let found = search(&bob, recent.clone()).await;
    assert_eq!(found["count"], 3);
    assert_eq!(bodies(&found), ["tea number 4", "tea number 3"]);
    let path = format!("/v3/search?next_batch={}", found["next_batch"].as_str().unwrap());
    let next = bob.post(&path, json!({ "search_categories": { "room_events": recent.clone() } })).await;
    assert_eq!(bodies(&next["search_categories"]["room_events"]), ["tea number 2"]);
    assert_eq!(search(&alice, recent.clone()).await["count"], 4);
    assert_eq!(search(&eve, recent).await, json!({ "count": 0, "results": [], "highlights": ["tea"] }));

    let groups = json!({ "search_term": "number", "groupings": { "group_by": [{ "key": "sender" }] },
        "event_context": { "before_limit": 1, "after_limit": 0, "include_profile": true }, "filter": { "limit": 1 } });
    let found = search(&alice, groups).await;
    assert_eq!(found["groups"]["sender"][alice.user_id.as_str()]["results"].as_array().unwrap().len(), 1);
    let context = &found["results"][0]["context"];
    assert_eq!(context["events_before"].as_array().unwrap().len(), 1);
    assert_eq!(context["events_after"], json!([]));
    assert!(context["profile_info"][alice.user_id.as_str()].is_object());
}

#[tokio::test]
async fn a_delayed_event_survives_a_restart_and_is_sent_once() {
    let clock = Clock::fixed(1_700_000_000_000);
    let server = TestServer::builder().clock(clock.clone()).start().await;
    let alice = server.user("alice").await;
    let room = alice.create_room(json!({})).await;
    let state = format!("/v3/rooms/{room}/state/com.example.call/key");
    alice.put(&format!("{state}?org.matrix.msc4140.delay=60000"), json!({ "on": false })).await;
    let delayed = "/unstable/org.matrix.msc4140/delayed_events";
    let waiting = alice.get(delayed).await;
    assert_eq!(waiting["delayed_events"][0]["content"], json!({ "on": false }));
    let id = waiting["delayed_events"][0]["delay_id"].as_str().unwrap().to_owned();
    let stopped = server.pause().await;
    clock.advance(60_000);
    let server = stopped.start().await;
    let alice = server.login("alice").await;
    while alice.get(&format!("{delayed}/{id}")).await.get("event_id").is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(alice.get(delayed).await, json!({ "delayed_events": [] }));
    assert_eq!(alice.get(&state).await, json!({ "on": false }));
    let again = format!("/_matrix/client{delayed}/{id}/cancel");
    assert_eq!(server.http().send(Method::POST, &again, None, "{}").await.status, StatusCode::CONFLICT);
    let too_long = format!("{state}?org.matrix.msc4140.delay=99999999999");
    assert_eq!(alice.call(Method::PUT, &too_long, Some(json!({}))).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn invites_are_refused_or_hidden_as_their_target_wants() {
    let server = server().await;
    let (alice, bob, carol) = (server.user("alice").await, server.user("bob").await, server.user("carol").await);
    let kind = "org.matrix.msc4155.invite_permission_config";
    let lists = json!({ "blocked_users": [alice.user_id], "ignored_users": ["@b?b:*"] });
    carol.put(&format!("/v3/user/{}/account_data/{kind}", carol.user_id), lists).await;
    let (refused, hidden) = (alice.create_room(json!({})).await, bob.create_room(json!({})).await);
    let invite = json!({ "user_id": carol.user_id });
    let answer = alice.call(Method::POST, &format!("/v3/rooms/{refused}/invite"), Some(invite)).await;
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::FORBIDDEN, "M_INVITE_BLOCKED"));
    bob.invite(&hidden, &carol.user_id).await;
    assert!(carol.sync(None).await["rooms"].get("invite").is_none());
}

#[tokio::test]
async fn without_configuration_there_are_no_previews_and_no_notices() {
    let server = server().await;
    let alice = server.user("alice").await;
    let answer = alice.call(Method::GET, "/v1/media/preview_url?url=http://x.test/", None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let body = json!({ "user_id": alice.user_id, "content": { "msgtype": "m.text", "body": "x" } }).to_string();
    let path = "/_synapse/admin/v1/send_server_notice";
    let answer = server.http().send(Method::POST, path, Some(&alice.token), body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
