//! Finding people, what joins carry, members at a point, pushers and versions, as clients meet them.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Client, TestServer};

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

async fn search(client: &Client, term: &str, limit: u64) -> Value {
    client.post("/v3/user_directory/search", json!({ "search_term": term, "limit": limit })).await
}

#[tokio::test]
async fn the_user_directory_tells_profile_names_and_no_others() {
    let server = server().await;
    let (alice, bob, eve) = (server.user("alice").await, server.user("bob").await, server.user("eve").await);
    let room = alice.create_room(json!({ "preset": "private_chat" })).await;
    alice.put(&format!("/v3/profile/{}/displayname", alice.user_id), json!({ "displayname": "Alice Cooper" })).await;
    alice.create_room(json!({ "visibility": "public" })).await;
    alice.invite(&room, &bob.user_id).await;
    bob.join(&room).await;
    let freddy = json!({ "membership": "join", "displayname": "Freddy" });
    alice.put(&format!("/v3/rooms/{room}/state/m.room.member/{}", alice.user_id), freddy).await;
    let shown = json!({ "user_id": alice.user_id, "display_name": "Alice Cooper" });
    for client in [&bob, &eve] {
        for term in ["alice cooper", "COOP", alice.user_id.as_str(), "@ali"] {
            let expected = json!({ "results": [shown], "limited": false });
            assert_eq!(search(client, term, 10).await, expected, "{} looks for {term}", client.user_id);
        }
        assert_eq!(search(client, "freddy", 10).await, json!({ "results": [], "limited": false }));
    }
    assert_eq!(search(&eve, "alice", 0).await, json!({ "results": [], "limited": true }));
    assert_eq!(search(&eve, "bob", 10).await["results"], json!([]));
}

#[tokio::test]
async fn a_join_carries_what_its_user_adds() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    for path in ["join", "rooms"] {
        let room = alice.create_room(json!({ "preset": "public_chat" })).await;
        let path = if path == "join" { format!("/v3/join/{room}") } else { format!("/v3/rooms/{room}/join") };
        bob.post(&path, json!({ "foo": "bar", "reason": "tea", "avatar_url": "mxc://x/y" })).await;
        let member = bob.get(&format!("/v3/rooms/{room}/state/m.room.member/{}", bob.user_id)).await;
        let expected = json!({ "membership": "join", "displayname": "bob", "foo": "bar", "reason": "tea" });
        assert_eq!(member, expected);
        let body = json!({ "membership": "join", "displayname": "Bob here", "reason": "why", "foo": "baz" });
        let path = format!("/v3/rooms/{room}/state/m.room.member/{}", bob.user_id);
        bob.put(&path, body.clone()).await;
        assert_eq!(bob.get(&path).await, body);
    }
}

#[tokio::test]
async fn members_are_told_as_they_were_when_a_sync_began() {
    let server = server().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let first = alice.sync(None).await;
    bob.join(&room).await;
    let room_part = &first["rooms"]["join"][room.as_str()];
    for token in [&room_part["timeline"]["prev_batch"], &first["next_batch"]] {
        let members = alice.get(&format!("/v3/rooms/{room}/members?at={}", token.as_str().unwrap())).await;
        let members: Vec<_> = members["chunk"].as_array().unwrap().iter().map(|event| &event["state_key"]).collect();
        assert_eq!(members, [&json!(alice.user_id)], "{token}");
    }
    let now = alice.sync(None).await;
    let members = alice.get(&format!("/v3/rooms/{room}/members?at={}", now["next_batch"].as_str().unwrap())).await;
    assert_eq!(members["chunk"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn pushers_go_with_their_device() {
    let server = server().await;
    let phone = server.user("alice").await;
    let laptop = server.login("alice").await;
    let pusher = |key: &str| {
        json!({
            "pushkey": key, "app_id": "org.example", "kind": "http", "lang": "en",
            "app_display_name": "App", "device_display_name": "Device", "profile_tag": "tag",
            "data": { "url": "https://push.example/_matrix/push/v1/notify" },
        })
    };
    phone.post("/v3/pushers/set", pusher("phone")).await;
    laptop.post("/v3/pushers/set", pusher("laptop")).await;
    assert_eq!(phone.get("/v3/pushers").await, json!({ "pushers": [pusher("laptop"), pusher("phone")] }));
    laptop.post("/v3/logout", json!({})).await;
    assert_eq!(phone.get("/v3/pushers").await, json!({ "pushers": [pusher("phone")] }));
    phone.post("/v3/pushers/set", json!({ "pushkey": "phone", "app_id": "org.example", "kind": null })).await;
    assert_eq!(phone.get("/v3/pushers").await, json!({ "pushers": [] }));
    let mut odd = pusher("odd");
    odd["data"]["url"] = json!("https://push.example/");
    let answer = phone.call(Method::POST, "/v3/pushers/set", Some(odd)).await;
    assert_eq!((answer.status, answer.errcode()), (StatusCode::BAD_REQUEST, "M_INVALID_PARAM".into()));
}

#[tokio::test]
async fn actions_of_older_versions_come_back_as_they_were_sent() {
    let server = server().await;
    let alice = server.user("alice").await;
    let path = format!("/v3/pushrules/global/sender/{}", alice.user_id);
    alice.put(&path, json!({ "actions": ["dont_notify"] })).await;
    assert_eq!(alice.get(&path).await["actions"], json!(["dont_notify"]));
    assert_eq!(alice.get("/v3/pushrules/").await["global"]["sender"][0]["actions"], json!(["dont_notify"]));
}

#[tokio::test]
async fn versions_and_features_are_told_to_everybody() {
    let server = server().await;
    let answer = server.http().send(Method::GET, "/_matrix/client/versions", None, "").await.ok();
    for version in ["v1.5", "v1.12"] {
        assert!(answer["versions"].as_array().unwrap().contains(&json!(version)), "{version}");
    }
    assert_eq!(answer["unstable_features"]["fi.mau.msc2246.stable"], true);
}
