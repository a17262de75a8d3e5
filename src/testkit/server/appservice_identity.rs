//! As whom application services act, and what names are theirs.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, Client, FakeAppservice, TestServer};

async fn server(more: &str) -> (TestServer, Client) {
    let fake = FakeAppservice::start().await;
    let server = TestServer::builder().in_memory().appservice(&fake.registration(more)).start().await;
    let bridge = server.acting("bridge", "as-token");
    (server, bridge)
}

async fn register(bridge: &Client, body: Value) -> Answer {
    bridge.call(Method::POST, "/v3/register", Some(body)).await
}

async fn ghost(bridge: &Client, name: &str) -> String {
    let body = json!({ "type": "m.login.application_service", "username": name, "inhibit_login": true });
    let answer = register(bridge, body).await.ok();
    assert!(answer.get("access_token").is_none(), "{answer}");
    answer["user_id"].as_str().unwrap().to_owned()
}

async fn refused(client: &Client, method: Method, path: &str, body: Value) -> (StatusCode, String) {
    let answer = client.call(method, path, Some(body)).await;
    (answer.status, answer.errcode())
}

#[tokio::test]
async fn an_application_service_is_its_own_user_from_the_start() {
    let (server, bridge) = server("").await;
    let who = bridge.get("/v3/account/whoami").await;
    assert_eq!(who, json!({ "user_id": "@bridge:test.example" }));
    let who = server.http().send(Method::GET, "/_matrix/client/v3/account/whoami?access_token=as-token", None, "");
    assert_eq!(who.await.ok()["user_id"], "@bridge:test.example");
    let server = server.restart().await;
    assert_eq!(server.acting("bridge", "as-token").get("/v3/account/whoami").await["user_id"], "@bridge:test.example");
    server.stop().await;
}

#[tokio::test]
async fn it_acts_for_registered_users_of_its_namespaces_only() {
    let (server, bridge) = server("").await;
    server.user("alice").await;
    let as_user = |user: &str| format!("/v3/account/whoami?user_id={user}");
    let forbidden = (StatusCode::FORBIDDEN, "M_FORBIDDEN".to_owned());
    let whoami = async |user: &str| refused(&bridge, Method::GET, &as_user(user), json!({})).await;
    assert_eq!(whoami("@_ghost_a:test.example").await, forbidden);
    ghost(&bridge, "_ghost_a").await;
    assert_eq!(bridge.get(&as_user("@_ghost_a:test.example")).await["user_id"], "@_ghost_a:test.example");
    assert_eq!(whoami("@alice:test.example").await, forbidden);
    assert_eq!(whoami("@_ghost_a:elsewhere.example").await, forbidden);
    server.stop().await;
}

#[tokio::test]
async fn exclusive_names_are_for_nobody_else_and_others_are_not_for_it() {
    let (server, bridge) = server("").await;
    let alice = server.user("alice").await;
    let exclusive = (StatusCode::BAD_REQUEST, "M_EXCLUSIVE".to_owned());
    let register = |name: &str| json!({ "username": name, "password": "x", "auth": { "type": "m.login.dummy" } });
    let nobody = async |body: Value| {
        let answer = server.http().send(Method::POST, "/_matrix/client/v3/register", None, body.to_string()).await;
        (answer.status, answer.errcode())
    };
    assert_eq!(nobody(register("_ghost_a")).await, exclusive);
    assert_eq!(nobody(register("bridge")).await.1, "M_USER_IN_USE");
    let body = json!({ "type": "m.login.application_service", "username": "_ghost_a" });
    assert_eq!(nobody(body).await, (StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN".to_owned()));
    assert_eq!(refused(&bridge, Method::POST, "/v3/register", json!({ "username": "bob" })).await, exclusive);
    let available = "/v3/register/available?username=_ghost_a";
    assert_eq!(refused(&alice, Method::GET, available, json!({})).await, exclusive);

    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let alias = "/v3/directory/room/%23_portal_x:test.example";
    assert_eq!(refused(&alice, Method::PUT, alias, json!({ "room_id": room })).await, exclusive);
    let create = json!({ "room_alias_name": "_portal_y" });
    assert_eq!(refused(&alice, Method::POST, "/v3/createRoom", create.clone()).await, exclusive);
    bridge.create_room(create).await;
    let outside = json!({ "room_alias_name": "plaza" });
    assert_eq!(refused(&bridge, Method::POST, "/v3/createRoom", outside).await, exclusive);
    server.stop().await;
}

#[tokio::test]
async fn ghosts_join_and_send_dated_messages_without_a_device() {
    let (server, bridge) = server("").await;
    let (alice, room) = server.user_in_room("alice").await;
    let user = ghost(&bridge, "_ghost_a").await;
    bridge.post(&format!("/v3/rooms/{room}/join?user_id={user}"), json!({})).await;
    let path = format!("/v3/rooms/{room}/send/m.room.message/txn?user_id={user}&ts=1234567");
    let text = json!({ "msgtype": "m.text", "body": "hi" });
    let sent = bridge.put(&path, text.clone()).await;
    assert_eq!(bridge.put(&path, text.clone()).await, sent);
    let event = alice.get(&format!("/v3/rooms/{room}/event/{}", sent["event_id"].as_str().unwrap())).await;
    assert_eq!((&event["sender"], &event["origin_server_ts"]), (&json!(user), &json!(1_234_567)));
    // Nobody else dates what they send.
    let own = alice.put(&format!("/v3/rooms/{room}/send/m.room.message/txn?ts=1234567"), text).await;
    let event = alice.get(&format!("/v3/rooms/{room}/event/{}", own["event_id"].as_str().unwrap())).await;
    assert_ne!(event["origin_server_ts"], 1_234_567);
    let own = bridge.create_room(json!({})).await;
    let topic =
        bridge.put(&format!("/v3/rooms/{own}/state/m.room.topic/?ts=7654321"), json!({ "topic": "dated" })).await;
    let event = bridge.get(&format!("/v3/rooms/{own}/event/{}", topic["event_id"].as_str().unwrap())).await;
    assert_eq!(event["origin_server_ts"], 7_654_321);
    server.stop().await;
}

#[tokio::test]
async fn it_creates_uses_and_removes_devices_without_logging_in() {
    let (server, bridge) = server("").await;
    let user = ghost(&bridge, "_ghost_a").await;
    let device = format!("/v3/devices/PHONE?user_id={user}");
    let put = async || bridge.call(Method::PUT, &device, Some(json!({ "display_name": "Bridge" }))).await.status;
    assert_eq!(put().await, StatusCode::CREATED);
    assert_eq!(put().await, StatusCode::OK);
    let whoami = async |more: &str| {
        let path = format!("/v3/account/whoami?user_id={user}&{more}");
        bridge.call(Method::GET, &path, None).await
    };
    assert_eq!(whoami("device_id=PHONE").await.ok()["device_id"], "PHONE");
    assert_eq!(whoami("org.matrix.msc3202.device_id=PHONE").await.ok()["device_id"], "PHONE");
    assert_eq!(whoami("device_id=TABLET").await.errcode(), "M_UNKNOWN_DEVICE");
    bridge.delete(&device).await;
    assert_eq!(whoami("device_id=PHONE").await.errcode(), "M_UNKNOWN_DEVICE");
    server.stop().await;
}

#[tokio::test]
async fn it_logs_its_users_in() {
    let (server, bridge) = server("").await;
    ghost(&bridge, "_ghost_a").await;
    let login = |name: &str| json!({ "type": "m.login.application_service", "identifier": { "type": "m.id.user", "user": name } });
    let session = bridge.post("/v3/login", login("_ghost_a")).await;
    let ghost = Client::new(server.http().clone(), &session);
    assert_eq!(ghost.get("/v3/account/whoami").await["device_id"], ghost.device_id.as_str());
    assert_eq!(refused(&bridge, Method::POST, "/v3/login", login("alice")).await.1, "M_EXCLUSIVE");
    let answer =
        server.http().send(Method::POST, "/_matrix/client/v3/login", None, login("_ghost_a").to_string()).await;
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN"));
    server.stop().await;
}

#[tokio::test]
async fn rate_limits_are_for_those_whose_registration_says_so() {
    let fake = FakeAppservice::start().await;
    let limited = fake.registration("").replace("rate_limited: false", "rate_limited: true");
    for (registration, is_limited) in [(fake.registration(""), false), (limited, true)] {
        let builder = TestServer::builder().in_memory().config(|config| config.rate_limits.enabled = true);
        let server = builder.appservice(&registration).start().await;
        let bridge = server.acting("bridge", "as-token");
        let user = ghost(&bridge, "_ghost_a").await;
        let room = bridge.create_room(json!({ "preset": "public_chat" })).await;
        bridge.post(&format!("/v3/rooms/{room}/join?user_id={user}"), json!({})).await;
        let mut refused = [0, 0];
        for n in 0..20 {
            for (place, query) in ["", &format!("?user_id={user}")].into_iter().enumerate() {
                let path = format!("/v3/rooms/{room}/send/m.room.message/{n}{query}");
                let answer = bridge.call(Method::PUT, &path, Some(json!({ "body": "hi" }))).await;
                refused[place] += usize::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
            }
        }
        // Its own user is never limited.
        assert_eq!((refused[0], refused[1] > 0), (0, is_limited));
        server.stop().await;
    }
}
