//! Rooms as clients meet them: creating, memberships, aliases, the directory, upgrades, summaries, spaces.

use http::{Method, StatusCode};
use ruma::RoomId;
use serde_json::{Value, json};
use testkit::{Answer, Client, TestServer};

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.errcode())
}

async fn post(client: &Client, path: &str, body: Value) -> Answer {
    client.call(Method::POST, path, Some(body)).await
}

async fn act(client: &Client, room: &RoomId, action: &str, target: &Client) -> Answer {
    post(client, &format!("/v3/rooms/{room}/{action}"), json!({ "user_id": target.user_id })).await
}

async fn state(client: &Client, room: &RoomId, kind: &str) -> Value {
    client.get(&format!("/v3/rooms/{room}/state/{kind}")).await
}

#[tokio::test]
async fn a_room_is_created_as_asked_for() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    alice.put(&format!("/v3/profile/{}/displayname", alice.user_id), json!({ "displayname": "Alice" })).await;
    let body = json!({
        "room_alias_name": "tea", "name": "Tea", "topic": "Leaves", "visibility": "public", "invite": [bob.user_id],
        "is_direct": true, "creation_content": { "m.federate": false }, "room_version": "11",
        "power_level_content_override": { "events_default": 7 },
        "initial_state": [{ "type": "m.room.guest_access", "content": { "guest_access": "can_join" } }],
    });
    let room = alice.create_room(body.clone()).await;
    assert_eq!(state(&alice, &room, "m.room.create").await["m.federate"], false);
    assert_eq!(state(&alice, &room, "m.room.join_rules").await["join_rule"], "public");
    assert_eq!(state(&alice, &room, "m.room.power_levels").await["events_default"], 7);
    assert_eq!(state(&alice, &room, "m.room.guest_access").await["guest_access"], "can_join");
    assert_eq!(state(&alice, &room, "m.room.canonical_alias").await["alias"], "#tea:test.example");
    let member = state(&alice, &room, &format!("m.room.member/{}", bob.user_id)).await;
    assert_eq!((&member["membership"], &member["is_direct"]), (&json!("invite"), &json!(true)));
    let member = state(&alice, &room, &format!("m.room.member/{}", alice.user_id)).await;
    assert_eq!(member["displayname"], "Alice");
    assert_eq!(refused(&post(&alice, "/v3/createRoom", body).await), (400, "M_ROOM_IN_USE".into()));

    for (body, code) in [
        (json!({ "room_version": "99" }), "M_UNSUPPORTED_ROOM_VERSION"),
        (json!({ "room_version": 11 }), "M_BAD_JSON"),
        (json!({ "preset": "odd" }), "M_INVALID_PARAM"),
        (json!({ "room_alias_name": "a b" }), "M_INVALID_PARAM"),
        (json!({ "initial_state": [{ "type": "m.room.create", "content": {} }] }), "M_INVALID_ROOM_STATE"),
        (json!({ "initial_state": [{ "type": "m.room.name", "content": "x" }] }), "M_BAD_JSON"),
        (json!({ "creation_content": { "additional_creators": ["x"] } }), "M_INVALID_PARAM"),
    ] {
        assert_eq!(refused(&post(&alice, "/v3/createRoom", body.clone()).await), (400, code.into()), "{body}");
    }
    let by_mail = json!({ "invite_3pid": [
        { "id_server": "id.test", "id_access_token": "t", "medium": "email", "address": "a@b.test" }
    ] });
    assert_eq!(refused(&post(&alice, "/v3/createRoom", by_mail).await), (403, "M_THREEPID_DENIED".into()));
    let rooms = alice.get("/v3/joined_rooms").await;
    assert_eq!(rooms, json!({ "joined_rooms": [room] }));
    server.stop().await;
}

#[tokio::test]
async fn memberships_change_by_their_endpoints() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room(json!({ "preset": "private_chat" })).await;
    let join = format!("/v3/rooms/{room}/join");
    assert_eq!(refused(&post(&bob, &join, json!({})).await), (403, "M_FORBIDDEN".into()));
    assert_eq!(refused(&post(&bob, "/v3/rooms/!no:test.example/join", json!({})).await), (404, "M_NOT_FOUND".into()));
    alice.invite(&room, &bob.user_id).await;
    let by_id = bob.call(Method::POST, &format!("/v3/join/{room}"), None).await.ok();
    assert_eq!(by_id, json!({ "room_id": room }));
    bob.post(&join, json!({ "reason": "again" })).await;
    let members = alice.get(&format!("/v3/rooms/{room}/joined_members")).await;
    assert_eq!(members["joined"].as_object().unwrap().len(), 2);

    assert_eq!(refused(&act(&bob, &room, "kick", &alice).await), (403, "M_FORBIDDEN".into()));
    let forget = format!("/v3/rooms/{room}/forget");
    assert_eq!(refused(&post(&bob, &forget, json!({})).await), (400, "M_UNKNOWN".into()));
    assert_eq!(act(&alice, &room, "kick", &bob).await.status, StatusCode::OK);
    assert_eq!(refused(&act(&alice, &room, "kick", &bob).await), (403, "M_FORBIDDEN".into()));
    assert_eq!(refused(&act(&alice, &room, "unban", &bob).await), (403, "M_BAD_STATE".into()));
    assert_eq!(act(&alice, &room, "ban", &bob).await.status, StatusCode::OK);
    assert_eq!(refused(&act(&alice, &room, "invite", &bob).await), (403, "M_FORBIDDEN".into()));
    assert_eq!(act(&alice, &room, "unban", &bob).await.status, StatusCode::OK);
    bob.post(&forget, json!({})).await;
    let members = format!("/v3/rooms/{room}/joined_members");
    assert_eq!(refused(&bob.call(Method::GET, &members, None).await), (403, "M_FORBIDDEN".into()));
    let leave = format!("/v3/rooms/{room}/leave");
    alice.post(&leave, json!({})).await;
    alice.post(&leave, json!({})).await;
    server.stop().await;
}

#[tokio::test]
async fn knocks_are_answered_by_invites() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let rules = json!([{ "type": "m.room.join_rules", "content": { "join_rule": "knock" } }]);
    let room = alice.create_room(json!({ "initial_state": rules, "room_alias_name": "door" })).await;
    let knocked = bob.post("/v3/knock/%23door:test.example", json!({ "reason": "hello" })).await;
    assert_eq!(knocked, json!({ "room_id": room }));
    let member = state(&alice, &room, &format!("m.room.member/{}", bob.user_id)).await;
    assert_eq!(member, json!({ "membership": "knock", "displayname": "bob", "reason": "hello" }));
    alice.invite(&room, &bob.user_id).await;
    bob.join(&room).await;
    server.stop().await;
}

#[tokio::test]
async fn invites_say_what_is_wrong_with_them() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room(json!({})).await;
    let path = format!("/v3/rooms/{room}/invite");
    for (body, expected) in [
        (json!({}), (400, "M_MISSING_PARAM")),
        (json!({ "user_id": 7 }), (400, "M_BAD_JSON")),
        (json!({ "user_id": "bob" }), (400, "M_INVALID_PARAM")),
        (json!({ "user_id": "@nobody:test.example" }), (404, "M_NOT_FOUND")),
        // The address is a private one, which is not talked to.
        (json!({ "user_id": "@bob:127.0.0.1:1" }), (502, "M_UNKNOWN")),
        (json!({ "medium": "email", "address": "a@b.test", "id_server": "x" }), (403, "M_THREEPID_DENIED")),
    ] {
        assert_eq!(refused(&post(&alice, &path, body.clone()).await), (expected.0, expected.1.into()), "{body}");
    }
    let config = format!("/v3/user/{}/account_data/m.invite_permission_config", bob.user_id);
    bob.put(&config, json!({ "default_action": "block" })).await;
    assert_eq!(refused(&act(&alice, &room, "invite", &bob).await), (403, "M_INVITE_BLOCKED".into()));
    let body = json!({ "invite": [bob.user_id] });
    assert_eq!(refused(&post(&alice, "/v3/createRoom", body).await), (403, "M_INVITE_BLOCKED".into()));
    let member = format!("/v3/rooms/{room}/state/m.room.member/{}", bob.user_id);
    let put = alice.call(Method::PUT, &member, Some(json!({ "membership": "invite" }))).await;
    assert_eq!(refused(&put), (403, "M_INVITE_BLOCKED".into()));
    server.stop().await;
}

#[tokio::test]
async fn aliases_are_made_resolved_and_removed() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let path = "/v3/directory/room/%23tea:test.example";
    let body = json!({ "room_id": room });
    assert_eq!(refused(&alice.call(Method::GET, path, None).await), (404, "M_NOT_FOUND".into()));
    assert_eq!(refused(&bob.call(Method::PUT, path, Some(body.clone())).await), (403, "M_FORBIDDEN".into()));
    alice.put(path, body.clone()).await;
    assert_eq!(refused(&alice.call(Method::PUT, path, Some(body.clone())).await), (409, "M_UNKNOWN".into()));
    let foreign = alice.call(Method::PUT, "/v3/directory/room/%23tea:other.test", Some(body)).await;
    assert_eq!(refused(&foreign), (400, "M_INVALID_PARAM".into()));
    let found = server.http().send(Method::GET, &format!("/_matrix/client{path}"), None, "").await.ok();
    assert_eq!(found, json!({ "room_id": room, "servers": ["test.example"] }));
    let aliases = format!("/v3/rooms/{room}/aliases");
    assert_eq!(alice.get(&aliases).await, json!({ "aliases": ["#tea:test.example"] }));
    assert_eq!(refused(&bob.call(Method::GET, &aliases, None).await), (403, "M_FORBIDDEN".into()));
    let canonical = format!("/v3/rooms/{room}/state/m.room.canonical_alias");
    let bad = alice.call(Method::PUT, &canonical, Some(json!({ "alias": "#no:test.example" }))).await;
    assert_eq!(refused(&bad), (400, "M_BAD_ALIAS".into()));
    alice.put(&canonical, json!({ "alias": "#tea:test.example" })).await;
    assert_eq!(bob.post("/v3/join/%23tea:test.example", json!({})).await, json!({ "room_id": room }));
    assert_eq!(refused(&bob.call(Method::DELETE, path, None).await), (403, "M_FORBIDDEN".into()));
    alice.delete(path).await;
    assert_eq!(state(&alice, &room, "m.room.canonical_alias").await, json!({}));
    server.stop().await;
}

#[tokio::test]
async fn the_directory_is_paged_and_searched() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let tea = alice.create_room(json!({ "name": "Tea", "visibility": "public" })).await;
    let coffee = alice.create_room(json!({ "name": "Coffee", "preset": "public_chat" })).await;
    bob.join(&coffee).await;
    let listed = format!("/v3/directory/list/room/{coffee}");
    assert_eq!(alice.get(&listed).await, json!({ "visibility": "private" }));
    let public = json!({ "visibility": "public" });
    assert_eq!(refused(&bob.call(Method::PUT, &listed, Some(public.clone())).await), (403, "M_FORBIDDEN".into()));
    alice.put(&listed, public).await;
    let page = server.http().send(Method::GET, "/_matrix/client/v3/publicRooms?limit=1", None, "").await.ok();
    assert_eq!(page["chunk"][0]["room_id"], coffee.as_str());
    assert_eq!(page["chunk"][0]["num_joined_members"], 2);
    assert_eq!(page["total_room_count_estimate"], 2);
    let next = page["next_batch"].as_str().unwrap();
    let rest = alice.get(&format!("/v3/publicRooms?limit=1&since={next}")).await;
    assert_eq!(rest["chunk"][0]["room_id"], tea.as_str());
    assert!(rest.get("next_batch").is_none());
    let found = bob.post("/v3/publicRooms", json!({ "filter": { "generic_search_term": "tea" } })).await;
    assert_eq!(found["chunk"].as_array().unwrap().len(), 1);
    let spaces = bob.post("/v3/publicRooms", json!({ "filter": { "room_types": ["m.space"] } })).await;
    assert_eq!(spaces["chunk"], json!([]));
    let plain = bob.post("/v3/publicRooms", json!({ "filter": { "room_types": [null] } })).await;
    assert_eq!(plain["chunk"].as_array().unwrap().len(), 2);
    assert_eq!(refused(&bob.call(Method::GET, "/v3/publicRooms?since=x", None).await), (400, "M_INVALID_PARAM".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_room_is_upgraded_summarized_and_found_in_its_space() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let body = json!({ "name": "Tea", "preset": "public_chat", "room_version": "10" });
    let old = alice.create_room(body).await;
    bob.join(&old).await;
    let tag = format!("/v3/user/{}/rooms/{old}/tags/m.favourite", bob.user_id);
    bob.put(&tag, json!({ "order": 0.5 })).await;
    let path = format!("/v3/rooms/{old}/upgrade");
    let to = json!({ "new_version": "12" });
    assert_eq!(refused(&post(&bob, &path, to.clone()).await), (403, "M_FORBIDDEN".into()));
    let unknown = post(&alice, &path, json!({ "new_version": "99" })).await;
    assert_eq!(refused(&unknown), (400, "M_UNSUPPORTED_ROOM_VERSION".into()));
    let answer = alice.post(&path, to).await;
    let new: &RoomId = answer["replacement_room"].as_str().unwrap().try_into().unwrap();
    assert_eq!(state(&alice, &old, "m.room.tombstone").await["replacement_room"], new.as_str());
    bob.join(new).await;
    let tags = bob.get(&format!("/v3/user/{}/rooms/{new}/tags", bob.user_id)).await;
    assert_eq!(tags, json!({ "tags": { "m.favourite": { "order": 0.5 } } }));

    let path = format!("/_matrix/client/v1/room_summary/{new}");
    let summary = server.http().send(Method::GET, &path, None, "").await.ok();
    assert_eq!((&summary["name"], &summary["room_version"]), (&json!("Tea"), &json!("12")));
    assert!(summary.get("membership").is_none());
    let summary = bob.get(&format!("/v1/room_summary/{new}")).await;
    assert_eq!(summary["membership"], "join");
    let hidden = alice.create_room(json!({})).await;
    let path = format!("/v1/room_summary/{hidden}");
    assert_eq!(refused(&bob.call(Method::GET, &path, None).await), (404, "M_NOT_FOUND".into()));

    let space = alice.create_room(json!({ "creation_content": { "type": "m.space" }, "preset": "public_chat" })).await;
    let child = format!("/v3/rooms/{space}/state/m.space.child/{new}");
    alice.put(&child, json!({ "via": ["test.example"] })).await;
    let hierarchy = bob.get(&format!("/v1/rooms/{space}/hierarchy")).await;
    assert_eq!(hierarchy["rooms"][0]["children_state"][0]["state_key"], new.as_str());
    assert_eq!(hierarchy["rooms"][1]["name"], "Tea");
    let path = format!("/v1/rooms/{hidden}/hierarchy");
    assert_eq!(refused(&bob.call(Method::GET, &path, None).await), (403, "M_FORBIDDEN".into()));

    let event = alice.send_text(new, "t1", "hello").await;
    let path = format!("/v1/rooms/{new}/timestamp_to_event?dir=b&ts=99999999999999");
    assert_eq!(bob.get(&path).await["event_id"], event.as_str());
    let path = format!("/v1/rooms/{new}/timestamp_to_event?dir=f&ts=99999999999999");
    assert_eq!(refused(&bob.call(Method::GET, &path, None).await), (404, "M_NOT_FOUND".into()));
    server.stop().await;
}
