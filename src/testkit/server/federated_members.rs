//! Memberships across two servers, as clients meet them.

use http::StatusCode;
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json};
use testkit::{Client, Federation, TestServer};

const VERSIONS: [&str; 7] = ["1", "3", "6", "8", "10", "11", "12"];

/// The member event of `user` as `client` is told.
async fn membership(client: &Client, room: &RoomId, user: &Client) -> Value {
    client.state(room, "m.room.member", user.user_id.as_str()).await["membership"].clone()
}

/// The types of stripped or full events.
fn kinds(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

async fn room(client: &Client, version: &str, join_rule: &Value) -> OwnedRoomId {
    let rules = json!({ "type": "m.room.join_rules", "state_key": "", "content": join_rule });
    let body = json!({ "room_version": version, "name": "Kitchen", "initial_state": [rules] });
    client.create_room(body).await
}

#[tokio::test]
async fn a_public_room_of_another_server_is_joined_and_left() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    bob.put(&format!("/v3/profile/{}/displayname", bob.user_id), json!({ "displayname": "Bob" })).await;
    for version in VERSIONS {
        let room = room(&alice, version, &json!({ "join_rule": "public" })).await;
        alice.send_text(&room, "1", "before").await;
        let since = bob.sync(None).await["next_batch"].as_str().unwrap().to_owned();
        bob.join_via(&room, &servers.one).await;
        assert_eq!(membership(&alice, &room, &bob).await, "join", "version {version}");
        assert_eq!(membership(&bob, &room, &alice).await, "join", "version {version}");
        assert_eq!(alice.state(&room, "m.room.member", bob.user_id.as_str()).await["displayname"], "Bob");

        let news = bob.sync(Some(&since)).await;
        let part = &news["rooms"]["join"][room.as_str()];
        assert_eq!(part["timeline"]["limited"], true, "version {version}");
        assert!(part["timeline"]["prev_batch"].is_string());
        let timeline = part["timeline"]["events"].as_array().unwrap();
        assert_eq!(timeline.last().unwrap()["state_key"], bob.user_id.as_str(), "version {version}");
        for kind in ["m.room.create", "m.room.power_levels", "m.room.name", "m.room.member"] {
            assert!(kinds(&part["state"]["events"]).contains(&kind), "version {version}: {kind}");
        }
        assert_eq!(part["summary"]["m.joined_member_count"], 2);

        bob.leave(&room).await;
        bob.join_via(&room, &servers.one).await;
    }
    servers.stop().await;
}

#[tokio::test]
async fn an_invite_goes_to_another_server_and_is_taken_or_rejected() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    for version in VERSIONS {
        let room = room(&alice, version, &json!({ "join_rule": "invite" })).await;
        let refused = bob.try_join_via(&room, &servers.one).await;
        assert_eq!((refused.status, refused.errcode()), (StatusCode::FORBIDDEN, "M_FORBIDDEN".into()), "{version}");

        alice.invite(&room, &bob.user_id).await;
        assert_eq!(membership(&alice, &room, &bob).await, "invite", "version {version}");
        let first = bob.sync(None).await;
        let shown = &first["rooms"]["invite"][room.as_str()]["invite_state"]["events"];
        for kind in ["m.room.create", "m.room.join_rules", "m.room.name", "m.room.member"] {
            assert!(kinds(shown).contains(&kind), "version {version}: {kind} in {shown}");
        }
        assert!(shown.as_array().unwrap().iter().all(|event| event.get("signatures").is_none()));

        bob.leave(&room).await;
        assert_eq!(membership(&alice, &room, &bob).await, "leave", "version {version}");
        let news = bob.sync(first["next_batch"].as_str()).await;
        let left = &news["rooms"]["leave"][room.as_str()]["timeline"]["events"];
        assert_eq!(left[0]["content"]["membership"], "leave", "version {version}: {news}");
        assert!(news["rooms"]["invite"].get(room.as_str()).is_none());

        alice.invite(&room, &bob.user_id).await;
        // The inviter's server is asked without anybody naming it.
        bob.join(&room).await;
        assert_eq!(membership(&alice, &room, &bob).await, "join", "version {version}");
        assert_eq!(membership(&bob, &room, &bob).await, "join", "version {version}");
    }
    servers.stop().await;
}

#[tokio::test]
async fn an_invite_can_be_rejected_when_its_server_is_gone() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    let room = alice.create_room(json!({ "invite": [bob.user_id], "is_direct": true })).await;
    let first = bob.sync(None).await;
    let shown = &first["rooms"]["invite"][room.as_str()]["invite_state"]["events"];
    assert!(shown.as_array().unwrap().iter().any(|event| event["content"]["is_direct"] == true), "{first}");
    servers.one.stop().await;
    bob.leave(&room).await;
    let news = bob.sync(first["next_batch"].as_str()).await;
    assert!(news["rooms"]["leave"].get(room.as_str()).is_some(), "{news}");
    servers.two.stop().await;
}

#[tokio::test]
async fn a_knock_on_a_room_of_another_server_is_answered() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    for version in ["7", "10", "11", "12"] {
        let room = room(&alice, version, &json!({ "join_rule": "knock" })).await;
        let path = format!("/v3/knock/{room}?via={}", servers.one.name());
        bob.post(&path, json!({ "reason": "tea" })).await;
        assert_eq!(membership(&alice, &room, &bob).await, "knock", "version {version}");
        let first = bob.sync(None).await;
        let shown = &first["rooms"]["knock"][room.as_str()]["knock_state"]["events"];
        assert!(kinds(shown).contains(&"m.room.create") && kinds(shown).contains(&"m.room.name"), "{shown}");

        alice.invite(&room, &bob.user_id).await;
        let second = bob.sync(first["next_batch"].as_str()).await;
        assert!(second["rooms"]["invite"].get(room.as_str()).is_some(), "version {version}: {second}");
        bob.join(&room).await;
        assert_eq!(membership(&bob, &room, &bob).await, "join", "version {version}");
        bob.leave(&room).await;
    }
    let closed = room(&alice, "10", &json!({ "join_rule": "invite" })).await;
    let path = format!("/v3/knock/{closed}?via={}", servers.one.name());
    let refused = bob.call(http::Method::POST, &path, Some(json!({}))).await;
    assert_eq!((refused.status, refused.errcode()), (StatusCode::FORBIDDEN, "M_FORBIDDEN".into()));
    servers.stop().await;
}

#[tokio::test]
async fn a_restricted_room_of_another_server_lets_members_of_its_rooms_in() {
    let servers = Federation::pair().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    for version in ["8", "10", "12"] {
        let club = room(&alice, version, &json!({ "join_rule": "public" })).await;
        let allow = json!([{ "type": "m.room_membership", "room_id": club }]);
        let inner = room(&alice, version, &json!({ "join_rule": "restricted", "allow": allow })).await;
        let refused = bob.try_join_via(&inner, &servers.one).await;
        assert_eq!((refused.status, refused.errcode()), (StatusCode::FORBIDDEN, "M_FORBIDDEN".into()));
        bob.join_via(&club, &servers.one).await;
        bob.join_via(&inner, &servers.one).await;
        for client in [&alice, &bob] {
            let member = client.state(&inner, "m.room.member", bob.user_id.as_str()).await;
            assert_eq!(member["join_authorised_via_users_server"], alice.user_id.as_str(), "{version}: {member}");
        }
        // The second server is in the room now, but none of its members may invite: it asks the first one again.
        let carol = servers.two.user(&format!("carol{version}")).await;
        carol.join_via(&club, &servers.one).await;
        let levels = alice.state(&inner, "m.room.power_levels", "").await;
        assert!(levels.is_object());
        carol.join_via(&inner, &servers.one).await;
        assert_eq!(membership(&bob, &inner, &carol).await, "join");
    }
    servers.stop().await;
}

#[tokio::test]
async fn a_restricted_join_goes_on_to_the_server_that_can_vouch() {
    let servers = Federation::pair().await;
    let third = servers.another().await;
    let (alice, bob) = (servers.one.user("alice").await, servers.two.user("bob").await);
    let carol = third.user("carol").await;
    let club = room(&alice, "10", &json!({ "join_rule": "public" })).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": club }]);
    let inner = room(&alice, "10", &json!({ "join_rule": "restricted", "allow": allow })).await;
    alice.invite(&inner, &bob.user_id).await;
    bob.join_via(&inner, &servers.one).await;
    carol.join_via(&club, &servers.one).await;
    // The second server is not in the club, and cannot know who is.
    let refused = carol.try_join_via(&inner, &servers.two).await;
    assert_eq!((refused.status, refused.errcode()), (StatusCode::BAD_REQUEST, "M_UNABLE_TO_AUTHORISE_JOIN".into()));

    let via = format!("via=127.0.0.1:1&via={}&via={}", servers.two.name(), servers.one.name());
    carol.post(&format!("/v3/join/{inner}?{via}"), json!({})).await;
    let member = alice.state(&inner, "m.room.member", carol.user_id.as_str()).await;
    assert_eq!(member["membership"], "join");
    assert_eq!(member["join_authorised_via_users_server"], alice.user_id.as_str());
    assert_eq!(membership(&carol, &inner, &carol).await, "join");
    third.stop().await;
    servers.stop().await;
}

#[tokio::test]
async fn users_of_one_server_who_join_at_the_same_time_all_come_in() {
    let servers = Federation::pair().await;
    let (alice, room) = servers.one.user_in_room("alice").await;
    let mut joins = Vec::new();
    for n in 0..5 {
        let (user, room, name) = (servers.two.user(&format!("u{n}")).await, room.clone(), servers.one.name().clone());
        joins.push(tokio::spawn(async move {
            let path = format!("/v3/join/{room}?via={name}");
            user.post(&path, json!({})).await;
            user
        }));
    }
    for join in joins {
        let user = join.await.unwrap();
        assert_eq!(membership(&user, &room, &user).await, "join");
    }
    assert_eq!(membership(&alice, &room, &alice).await, "join");
    servers.stop().await;
}

#[tokio::test]
async fn a_room_that_nobody_knows_cannot_be_joined() {
    let servers = Federation::pair().await;
    let bob = servers.two.user("bob").await;
    let nowhere = <&RoomId>::try_from("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM").unwrap();
    let answer = bob.try_join_via(nowhere, &servers.one).await;
    assert_eq!((answer.status, answer.errcode()), (StatusCode::NOT_FOUND, "M_NOT_FOUND".into()));
    servers.stop().await;
}

#[tokio::test]
async fn a_server_that_wants_no_members_is_told_so_and_who_is_in_the_room() {
    let server = TestServer::new().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let body = json!({ "room_version": "11", "preset": "public_chat", "name": "Kitchen" });
    let room = alice.create_room(body).await;
    bob.join(&room).await;
    let remote = server.remote("other.test").await;
    let member = remote.join(&room, "@carol:other.test".try_into().unwrap()).await;
    // Whoever did not get the answer asks again.
    let path = format!("/_matrix/federation/v2/send_join/{room}/{}", member.join.event_id);
    let join: Value = serde_json::from_slice(member.join.json()).unwrap();
    let whole = remote.put(&path, join.clone()).await;
    assert_eq!(whole["members_omitted"], false);
    assert_eq!(kinds(&whole["state"]).iter().filter(|kind| **kind == "m.room.member").count(), 2);
    let part = remote.put(&format!("{path}?omit_members=true"), join).await;
    assert_eq!(part["members_omitted"], true);
    assert_eq!(part["servers_in_room"], json!([server.name()]));
    assert!(kinds(&part["state"]).contains(&"m.room.create"));
    assert!(!kinds(&part["state"]).contains(&"m.room.member"));
    // What allows the rest, and nothing twice.
    assert_eq!(kinds(&part["auth_chain"]), ["m.room.member"]);
    assert_eq!(part["auth_chain"][0]["state_key"], alice.user_id.as_str());
    server.stop().await;
}
