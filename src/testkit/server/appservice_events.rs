//! What application services are told, and what happens while they do not listen.

use http::{Method, StatusCode};
use ruma::OwnedRoomId;
use serde_json::{Value, json};
use testkit::{AppserviceRequest, Client, FakeAppservice, Federation, TestServer};

const ENCRYPTS: &str = "receive_ephemeral: true\norg.matrix.msc3202: true\n";

async fn ghost(bridge: &Client, name: &str) -> String {
    let body = json!({ "type": "m.login.application_service", "username": name, "inhibit_login": true });
    bridge.post("/v3/register", body).await["user_id"].as_str().unwrap().to_owned()
}

/// A server with a fake application service, and a room of alice that a ghost is in.
async fn bridged(more: &str) -> (FakeAppservice, TestServer, Client, OwnedRoomId) {
    let mut fake = FakeAppservice::start().await;
    let server = TestServer::builder().appservice(&fake.registration(more)).start().await;
    let (alice, room) = server.user_in_room("alice").await;
    let bridge = server.acting("bridge", "as-token");
    let user = ghost(&bridge, "_ghost_a").await;
    bridge.post(&format!("/v3/rooms/{room}/join?user_id={user}"), json!({})).await;
    fake.events_until(|event| event["type"] == "m.room.member" && event["state_key"] == user).await;
    (fake, server, alice, room)
}

fn says(event: &Value, text: &str) -> bool {
    event["content"]["body"] == text
}

fn bodies(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[tokio::test]
async fn it_is_told_what_happens_where_its_users_are_and_nothing_else() {
    let (mut fake, server, alice, room) = bridged("").await;
    let elsewhere = alice.create_room(json!({})).await;
    alice.send_text(&elsewhere, "1", "secret").await;
    for n in ["one", "two", "three"] {
        alice.send_text(&room, n, n).await;
    }
    let events = fake.events_until(|event| says(event, "three")).await;
    assert_eq!(bodies(&events), ["one", "two", "three"]);
    let event = &events[0];
    assert_eq!((&event["room_id"], &event["sender"]), (&json!(room), &json!(alice.user_id)));
    assert!(event["event_id"].is_string() && event["unsigned"]["age"].is_number(), "{event}");
    assert!(event["unsigned"].get("transaction_id").is_none());

    alice.put(&format!("/v3/rooms/{room}/state/m.room.topic/"), json!({ "topic": "a" })).await;
    alice.put(&format!("/v3/rooms/{room}/state/m.room.topic/"), json!({ "topic": "b" })).await;
    alice.send_text(&room, "4", "four").await;
    let events = fake.events_until(|event| says(event, "four")).await;
    assert_eq!(events[1]["unsigned"]["prev_content"], json!({ "topic": "a" }));

    // Its own user is asked into the other room, so from now on that one is its business too.
    let bridge = server.acting("bridge", "as-token");
    alice.invite(&elsewhere, &bridge.user_id).await;
    bridge.join(&elsewhere).await;
    alice.send_text(&elsewhere, "2", "open").await;
    let events = fake.events_until(|event| says(event, "open")).await;
    let steps: Vec<_> = events.iter().filter_map(|event| event["content"]["membership"].as_str()).collect();
    assert_eq!((steps, bodies(&events)), (vec!["invite", "join"], vec!["open"]));
    bridge.leave(&elsewhere).await;
    alice.send_text(&elsewhere, "3", "secret again").await;
    alice.send_text(&room, "5", "five").await;
    let events = fake.events_until(|event| says(event, "five")).await;
    assert_eq!(events[0]["content"]["membership"], "leave");
    assert_eq!(bodies(&events), ["five"]);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_unchanged_even_after_a_restart_and_the_rest_after_it() {
    let (mut fake, server, alice, room) = bridged("").await;
    fake.answer(|_| (StatusCode::INTERNAL_SERVER_ERROR, json!({})));
    alice.send_text(&room, "1", "one").await;
    let first = fake.transaction().await;
    assert_eq!(first.token.as_deref(), Some("hs-token"));
    assert_eq!((first.method.clone(), bodies(first.body["events"].as_array().unwrap())), (Method::PUT, vec!["one"]));
    alice.send_text(&room, "2", "two").await;
    let same = |again: &AppserviceRequest| (&again.path, &again.body) == (&first.path, &first.body);
    assert!(same(&fake.transaction().await), "the same transaction after a pause");

    let server = server.restart().await;
    assert!(same(&fake.transaction().await), "the same transaction after a restart");
    alice_again(&server).await.send_text(&room, "3", "three").await;
    fake.answer(|_| (StatusCode::OK, json!({})));
    // It is heard from, so it need not wait for the end of a pause.
    server.acting("bridge", "as-token").get("/v3/account/whoami").await;
    let events = fake.events_until(|event| says(event, "three")).await;
    let mut said = bodies(&events);
    said.dedup();
    assert_eq!(said, ["one", "two", "three"]);
    server.stop().await;
}

async fn alice_again(server: &TestServer) -> Client {
    server.login("alice").await
}

#[tokio::test]
async fn one_that_is_dead_holds_up_nobody_and_gets_everything_later() {
    let mut fake = FakeAppservice::start().await;
    let dead = "id: dead\nurl: http://127.0.0.1:9\nas_token: dead-token\nhs_token: x\nsender_localpart: dead\n\
                namespaces: { rooms: [{ regex: '.*' }] }\n";
    let builder = TestServer::builder().in_memory().appservice(dead).appservice(&fake.registration(""));
    let server = builder.start().await;
    let (alice, room) = server.user_in_room("alice").await;
    let bridge = server.acting("bridge", "as-token");
    bridge.join(&room).await;
    for n in 0..150 {
        alice.send_text(&room, &n.to_string(), &n.to_string()).await;
    }
    let events = fake.events_until(|event| says(event, "149")).await;
    assert_eq!(bodies(&events).len(), 150);
    server.stop().await;
}

#[tokio::test]
async fn invites_from_other_servers_to_its_users_are_told_with_what_is_shown_of_the_room() {
    let mut fake = FakeAppservice::start().await;
    let servers = Federation::pair().await;
    let bridged = servers.with_appservice(&fake.registration("")).await;
    let bridge = bridged.acting("bridge", "as-token");
    let alice = servers.one.user("alice").await;
    let room = alice.create_room(json!({ "name": "Kitchen", "preset": "private_chat" })).await;
    alice.invite(&room, &bridge.user_id).await;
    let events = fake.events_until(|event| event["content"]["membership"] == "invite").await;
    let invite = events.last().unwrap();
    assert_eq!((&invite["state_key"], &invite["room_id"]), (&json!(bridge.user_id), &json!(room)));
    let state = invite["unsigned"]["invite_room_state"].as_array().unwrap();
    assert!(state.iter().any(|event| event["content"]["name"] == "Kitchen"), "{invite}");

    bridge.join_via(&room, &servers.one).await;
    alice.send_text(&room, "1", "hello bridge").await;
    let events = fake.events_until(|event| says(event, "hello bridge")).await;
    assert!(events.iter().any(|event| event["content"]["membership"] == "join"));
    bridged.stop().await;
    servers.stop().await;
}

#[tokio::test]
async fn typing_receipts_and_presence_are_told_to_who_wants_them() {
    let (mut fake, server, alice, room) = bridged(ENCRYPTS).await;
    let event = alice.send_text(&room, "1", "one").await;
    let typing = format!("/v3/rooms/{room}/typing/{}", alice.user_id);
    alice.put(&typing, json!({ "typing": true, "timeout": 30_000 })).await;
    alice.post(&format!("/v3/rooms/{room}/receipt/m.read/{event}"), json!({})).await;
    alice.put(&format!("/v3/presence/{}/status", alice.user_id), json!({ "presence": "unavailable" })).await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let transaction = fake.transaction().await;
        for event in transaction.body["ephemeral"].as_array().unwrap() {
            assert!(transaction.body["de.sorunome.msc2409.ephemeral"].as_array().unwrap().contains(event));
            match event["type"].as_str().unwrap() {
                "m.typing" => assert_eq!(event["content"]["user_ids"], json!([alice.user_id])),
                "m.receipt" => {
                    assert_eq!(event["room_id"], room.as_str());
                    assert!(event["content"][room_event(event)]["m.read"][alice.user_id.as_str()]["ts"].is_number());
                }
                "m.presence" => assert_eq!(event["sender"], alice.user_id.as_str()),
                other => panic!("{other}"),
            }
            if !seen.contains(&event["type"]) {
                seen.push(event["type"].clone());
            }
        }
    }
    server.stop().await;
}

fn room_event(receipt: &Value) -> &str {
    receipt["content"].as_object().unwrap().keys().next().unwrap()
}

#[tokio::test]
async fn messages_to_devices_of_its_users_come_once_with_what_encryption_needs() {
    let (mut fake, server, alice, _) = bridged(ENCRYPTS).await;
    let bridge = server.acting("bridge", "as-token");
    let user = "@_ghost_a:test.example";
    bridge.call(Method::PUT, &format!("/v3/devices/PHONE?user_id={user}"), Some(json!({}))).await;
    // The new device is told of first.
    while !fake.transaction().await.body["device_lists"]["changed"].as_array().unwrap().contains(&json!(user)) {}
    fake.answer(|_| (StatusCode::BAD_GATEWAY, json!({})));
    let message = json!({ "messages": { user: { "*": { "n": 1 } } } });
    alice.put("/v3/sendToDevice/m.test/1", message).await;
    let mailed =
        |request: &AppserviceRequest| request.body["to_device"].as_array().is_some_and(|list| !list.is_empty());
    let first = loop {
        let request = fake.transaction().await;
        if mailed(&request) {
            break request;
        }
    };
    let wanted = json!({
        "type": "m.test", "sender": alice.user_id, "content": { "n": 1 },
        "to_user_id": user, "to_device_id": "PHONE",
    });
    assert_eq!(first.body["to_device"], json!([wanted]));
    assert_eq!(first.body["de.sorunome.msc2409.to_device"], json!([wanted]));
    assert_eq!(first.body["org.matrix.msc3202.device_one_time_keys_count"][user]["PHONE"]["signed_curve25519"], 0);

    let server = server.restart().await;
    assert_eq!(fake.transaction().await.path, first.path);
    fake.answer(|_| (StatusCode::OK, json!({})));
    let alice = alice_again(&server).await;
    server.acting("bridge", "as-token").get("/v3/account/whoami").await;
    alice.put("/v3/sendToDevice/m.test/2", json!({ "messages": { user: { "PHONE": { "n": 2 } } } })).await;
    let second = loop {
        let request = fake.transaction().await;
        if mailed(&request) && request.path != first.path {
            break request;
        }
    };
    assert_eq!(second.body["to_device"].as_array().unwrap().len(), 1);
    assert_eq!(second.body["to_device"][0]["content"]["n"], 2);
    server.stop().await;
}

#[tokio::test]
async fn changed_devices_of_who_shares_a_room_with_its_users_are_told_and_who_no_longer_does() {
    let (mut fake, server, alice, room) = bridged(ENCRYPTS).await;
    let bob = server.user("bob").await;
    bob.join(&room).await;
    server.user("stranger").await;
    let phone = server.login("alice").await;
    loop {
        let request = fake.transaction().await;
        let changed = &request.body["org.matrix.msc3202.device_lists"]["changed"];
        let changed: Vec<_> = changed.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(!changed.contains(&"@stranger:test.example"));
        if changed.contains(&alice.user_id.as_str()) {
            break;
        }
    }
    assert_eq!(phone.user_id, alice.user_id);
    let mut left = async || loop {
        let request = fake.transaction().await;
        let left = &request.body["device_lists"]["left"];
        assert_eq!(*left, request.body["org.matrix.msc3202.device_lists"]["left"]);
        if *left != json!([]) {
            return left.clone();
        }
    };
    bob.leave(&room).await;
    assert_eq!(left().await, json!([bob.user_id]));
    let ghost = format!("/v3/rooms/{room}/leave?user_id=@_ghost_a:test.example");
    server.acting("bridge", "as-token").post(&ghost, json!({})).await;
    assert_eq!(left().await, json!([alice.user_id]), "with its last user all others go");
    server.stop().await;
}

#[tokio::test]
async fn a_ping_says_how_long_the_answer_took_or_what_went_wrong() {
    let (mut fake, server, alice, _) = bridged("").await;
    let bridge = server.acting("bridge", "as-token");
    let path = "/v1/appservice/bridge/ping";
    fake.rest();
    let answer = bridge.post(path, json!({ "transaction_id": "t1" })).await;
    assert!(answer["duration_ms"].is_u64(), "{answer}");
    let ping = fake.next().await;
    assert_eq!((ping.path.as_str(), &ping.body), ("/_matrix/app/v1/ping", &json!({ "transaction_id": "t1" })));

    let refused = async |client: &Client, path: &str| {
        let answer = client.call(Method::POST, path, Some(json!({}))).await;
        (answer.status.as_u16(), answer.errcode(), answer.json()["status"].clone())
    };
    fake.answer(|_| (StatusCode::IM_A_TEAPOT, json!({})));
    assert_eq!(refused(&bridge, path).await, (502, "M_BAD_STATUS".to_owned(), json!(418)));
    assert_eq!(refused(&bridge, "/v1/appservice/other/ping").await.1, "M_FORBIDDEN");
    assert_eq!(refused(&alice, path).await.1, "M_FORBIDDEN");
    drop(fake);
    assert_eq!(refused(&bridge, path).await.1, "M_CONNECTION_FAILED");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_and_aliases_that_are_not_known_yet_are_asked_for() {
    let (fake, server, alice, room) = bridged("").await;
    let invite = format!("/v3/rooms/{room}/invite");
    let lazy = json!({ "user_id": "@_ghost_lazy:test.example" });
    fake.answer(|_| (StatusCode::NOT_FOUND, json!({ "errcode": "M_NOT_FOUND" })));
    assert_eq!(alice.call(Method::POST, &invite, Some(lazy.clone())).await.status, StatusCode::NOT_FOUND);

    let address = server.server().addresses()[0];
    fake.answer(move |request| {
        let ask = |path: &str, body: Value| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let body = body.to_string();
            let head = format!(
                "POST /_matrix/client/v3/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer as-token\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
            std::io::Read::read_to_end(&mut stream, &mut Vec::new()).unwrap();
        };
        match request.path.as_str() {
            "/_matrix/app/v1/users/%40_ghost_lazy%3Atest.example" => {
                let register = json!({ "username": "_ghost_lazy", "type": "m.login.application_service" });
                tokio::task::block_in_place(|| ask("register", register));
            }
            "/_matrix/app/v1/rooms/%23_portal_lazy%3Atest.example" => {
                let create = json!({ "room_alias_name": "_portal_lazy", "preset": "public_chat" });
                tokio::task::block_in_place(|| ask("createRoom", create));
            }
            path if path.contains("/users/") || path.contains("/rooms/") => return (StatusCode::NOT_FOUND, json!({})),
            _ => {}
        }
        (StatusCode::OK, json!({}))
    });
    // The question that failed does not count as a failure: transactions were taken.
    assert_eq!(alice.call(Method::POST, &invite, Some(lazy)).await.status, StatusCode::OK);
    let found = alice.get("/v3/directory/room/%23_portal_lazy:test.example").await;
    assert!(found["room_id"].is_string());
    let missing = alice.call(Method::GET, "/v3/directory/room/%23_portal_none:test.example", None).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn third_party_networks_are_looked_up_with_who_knows_them() {
    let mut fake = FakeAppservice::start().await;
    let builder = TestServer::builder().in_memory().appservice(&fake.registration("protocols: [irc]\n"));
    let server = builder.start().await;
    let alice = server.user("alice").await;
    fake.answer(|request| {
        let answer = match request.path.as_str() {
            "/_matrix/app/v1/thirdparty/protocol/irc" => {
                let instances = json!([{ "desc": "Libera", "network_id": "libera", "fields": {} }]);
                json!({ "user_fields": ["nick"], "location_fields": ["channel"], "instances": instances })
            }
            "/_matrix/app/v1/thirdparty/user/irc?nick=J%C3%B6%20%26" => json!([{ "userid": "@_ghost_j:test.example" }]),
            "/_matrix/app/v1/thirdparty/location?alias=%23_portal_x%3Atest.example" => json!([{ "protocol": "irc" }]),
            _ => json!([]),
        };
        (StatusCode::OK, answer)
    });
    let all = alice.get("/v3/thirdparty/protocols").await;
    assert_eq!(all["irc"]["instances"][0]["instance_id"], "bridge|libera");
    assert_eq!(alice.get("/v3/thirdparty/protocol/irc").await, all["irc"]);
    let unknown = alice.call(Method::GET, "/v3/thirdparty/protocol/icq", None).await;
    assert_eq!((unknown.status, unknown.errcode().as_str()), (StatusCode::NOT_FOUND, "M_NOT_FOUND"));
    let users = alice.get(&format!("/v3/thirdparty/user/irc?nick=J%C3%B6%20%26&access_token={}", alice.token)).await;
    assert_eq!(users[0]["userid"], "@_ghost_j:test.example");
    let rooms = alice.get("/v3/thirdparty/location?alias=%23_portal_x:test.example").await;
    assert_eq!(rooms, json!([{ "protocol": "irc" }]));
    assert_eq!(alice.get("/v3/thirdparty/user?userid=@alice:test.example").await, json!([]));
    assert!(fake.rest().iter().all(|request| request.token.as_deref() == Some("hs-token")));
    server.stop().await;
}

#[tokio::test]
async fn rooms_of_third_party_networks_have_a_directory_of_their_own() {
    let (_fake, server, alice, room) = bridged("").await;
    let bridge = server.acting("bridge", "as-token");
    let path = format!("/v3/directory/list/appservice/libera/{room}");
    let forbidden = alice.call(Method::PUT, &path, Some(json!({ "visibility": "public" }))).await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    bridge.put(&path, json!({ "visibility": "public" })).await;
    let listed = async |query: Value| alice.post("/v3/publicRooms", query).await["chunk"].as_array().unwrap().len();
    assert_eq!(listed(json!({})).await, 0);
    assert_eq!(listed(json!({ "third_party_instance_id": "bridge|libera" })).await, 1);
    assert_eq!(listed(json!({ "third_party_instance_id": "bridge|other" })).await, 0);
    assert_eq!(listed(json!({ "include_all_networks": true })).await, 1);
    bridge.put(&path, json!({ "visibility": "private" })).await;
    assert_eq!(listed(json!({ "include_all_networks": true })).await, 0);
    server.stop().await;
}
