//! Accounts as clients meet them.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answer, TestServer};

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

async fn post(server: &TestServer, path: &str, body: Value) -> Answer {
    server.http().send(Method::POST, &format!("/_matrix/client/v3{path}"), None, body.to_string()).await
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.errcode())
}

fn password(user: &str, password: &str) -> Value {
    json!({ "type": "m.login.password", "identifier": { "type": "m.id.user", "user": user }, "password": password })
}

#[tokio::test]
async fn registration_asks_for_a_stage_and_then_creates_the_account() {
    let server = server().await;
    let asked = post(&server, "/register", json!({})).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    let asked = asked.json();
    assert_eq!(asked["flows"][0], json!({ "stages": ["m.login.dummy"] }));
    assert_eq!(asked["params"], json!({}));
    let auth = json!({ "type": "m.login.dummy", "session": asked["session"] });
    let body = json!({ "username": "Alice", "password": "p", "device_id": "LAPTOP", "auth": auth });
    let session = post(&server, "/register", body).await.ok();
    assert_eq!((&session["user_id"], &session["device_id"]), (&json!("@alice:test.example"), &json!("LAPTOP")));
    assert!(session["access_token"].is_string());
    let again = post(&server, "/register", json!({ "username": "alice" })).await;
    assert_eq!(refused(&again), (400, "M_USER_IN_USE".into()));
    let bad = post(&server, "/register", json!({ "username": "al ice" })).await;
    assert_eq!(refused(&bad), (400, "M_INVALID_USERNAME".into()));
    server.stop().await;
}

#[tokio::test]
async fn inhibit_login_creates_an_account_without_a_session() {
    let server = server().await;
    let body =
        json!({ "username": "bob", "password": "p", "inhibit_login": true, "auth": { "type": "m.login.dummy" } });
    let answer = post(&server, "/register", body).await.ok();
    assert_eq!(answer["user_id"], "@bob:test.example");
    assert!(answer.get("access_token").is_none());
    server.stop().await;
}

#[tokio::test]
async fn the_first_administrator_registers_on_a_closed_server() {
    // The default is closed.
    let closed = |config: &mut hearth::Config| config.registration.mode = Default::default();
    let server = TestServer::builder().in_memory().config(closed).start().await;
    let token = server.server().wired().state.accounts.first_admin_token().await.unwrap().unwrap();
    let body = |auth| json!({ "username": "root", "password": "p", "auth": auth });
    let asked = post(&server, "/register", body(json!({}))).await;
    assert_eq!(asked.status, 401, "an empty auth is none");
    let first = json!({ "type": "m.login.registration_token", "token": token, "session": asked.json()["session"] });
    let half = post(&server, "/register", body(first)).await;
    assert_eq!(half.json()["completed"], json!(["m.login.registration_token"]));
    let second = json!({ "type": "m.login.dummy", "session": asked.json()["session"] });
    assert_eq!(post(&server, "/register", body(second.clone())).await.ok()["user_id"], "@root:test.example");
    assert_eq!(refused(&post(&server, "/register", body(second)).await), (403, "M_FORBIDDEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn logging_in_takes_old_and_new_spellings_and_says_what_is_missing() {
    let server = server().await;
    server.user("alice").await;
    for body in [
        password("alice", "alice"),
        password("@Alice:test.example", "alice"),
        json!({ "type": "m.login.password", "user": "alice", "password": "alice" }),
    ] {
        assert_eq!(post(&server, "/login", body).await.ok()["user_id"], "@alice:test.example");
    }
    for (body, code) in [
        (password("alice", "wrong"), (403, "M_FORBIDDEN")),
        (password("nobody", "x"), (403, "M_FORBIDDEN")),
        (json!({}), (400, "M_BAD_JSON")),
        (json!({ "type": "m.login.password", "user": "alice" }), (400, "M_MISSING_PARAM")),
        (json!({ "type": "m.login.token", "token": "x" }), (403, "M_FORBIDDEN")),
        (json!({ "type": "org.example.magic" }), (400, "M_UNKNOWN")),
    ] {
        assert_eq!(refused(&post(&server, "/login", body).await), (code.0, code.1.to_owned()));
    }
    server.stop().await;
}

#[tokio::test]
async fn tokens_are_refreshed_and_end_with_log_out() {
    let server = server().await;
    server.user("alice").await;
    let mut login = password("alice", "alice");
    login["refresh_token"] = true.into();
    let session = post(&server, "/login", login).await.ok();
    assert_eq!(session["expires_in_ms"], 3_600_000);
    let new = post(&server, "/refresh", json!({ "refresh_token": session["refresh_token"] })).await.ok();
    let token = new["access_token"].as_str();
    let call = async |method, path: &str| server.http().send(method, path, token, "").await;
    let who = call(Method::GET, "/_matrix/client/v3/account/whoami").await.ok();
    assert_eq!(who["device_id"], session["device_id"]);
    let old = post(&server, "/refresh", json!({ "refresh_token": session["refresh_token"] })).await;
    assert_eq!(refused(&old), (401, "M_UNKNOWN_TOKEN".into()));
    call(Method::POST, "/_matrix/client/v3/logout").await.ok();
    let gone = call(Method::GET, "/_matrix/client/v3/account/whoami").await;
    assert_eq!(refused(&gone), (401, "M_UNKNOWN_TOKEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_device_is_renamed_and_deleted_with_the_password() {
    let server = server().await;
    let alice = server.user("alice").await;
    let phone = server.login("alice").await;
    let path = format!("/v3/devices/{}", phone.device_id);
    alice.put(&path, json!({ "display_name": "phone" })).await;
    assert_eq!(alice.get(&path).await["display_name"], "phone");
    let asked = alice.call(Method::DELETE, &path, None).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    let wrong = json!({ "auth": password("alice", "wrong") });
    assert_eq!(refused(&alice.call(Method::DELETE, &path, Some(wrong)).await), (401, "M_FORBIDDEN".into()));
    let auth = json!({ "type": "m.login.password", "user": "alice", "password": "alice" });
    alice.call(Method::DELETE, &path, Some(json!({ "auth": auth }))).await.ok();
    assert_eq!(refused(&alice.call(Method::GET, &path, None).await), (404, "M_NOT_FOUND".into()));
    let dead = phone.call(Method::GET, "/v3/devices", None).await;
    assert_eq!(refused(&dead), (401, "M_UNKNOWN_TOKEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_deactivated_account_cannot_log_in() {
    let server = server().await;
    let alice = server.user("alice").await;
    alice.post("/v3/account/deactivate", json!({ "auth": password("alice", "alice"), "erase": true })).await;
    let login = post(&server, "/login", password("alice", "alice")).await;
    assert_eq!(refused(&login), (403, "M_USER_DEACTIVATED".into()));
    server.stop().await;
}

#[tokio::test]
async fn profile_fields_are_set_read_and_unset() {
    let server = server().await;
    let alice = server.user("alice").await;
    let profile = "/v3/profile/@alice:test.example";
    alice.put(&format!("{profile}/displayname"), json!({ "displayname": "Alice" })).await;
    alice.put(&format!("{profile}/org.example.pets"), json!({ "org.example.pets": [1, 2] })).await;
    assert_eq!(alice.get(profile).await, json!({ "displayname": "Alice", "org.example.pets": [1, 2] }));
    assert_eq!(alice.get(&format!("{profile}/displayname")).await, json!({ "displayname": "Alice" }));
    alice.put(&format!("{profile}/displayname"), json!({ "displayname": null })).await;
    alice.delete(&format!("{profile}/org.example.pets")).await;
    assert_eq!(alice.get(profile).await, json!({}));
    let call = async |path: String, body| refused(&alice.call(Method::PUT, &path, Some(body)).await);
    assert_eq!(call(format!("{profile}/displayname"), json!({})).await, (400, "M_MISSING_PARAM".into()));
    let foreign = "/v3/profile/@bob:test.example/displayname".to_owned();
    assert_eq!(call(foreign, json!({ "displayname": "x" })).await, (403, "M_FORBIDDEN".into()));
    let long = "k".repeat(256);
    assert_eq!(call(format!("{profile}/{long}"), json!({ &long: 1 })).await, (400, "M_KEY_TOO_LARGE".into()));
    server.stop().await;
}

#[tokio::test]
async fn account_data_tags_and_filters_come_back_as_they_were_sent() {
    let server = server().await;
    let alice = server.user("alice").await;
    let user = "/v3/user/@alice:test.example";
    let in_room = format!("{user}/rooms/!room:test.example");
    for path in [format!("{user}/account_data/org.example.x"), format!("{in_room}/account_data/org.example.x")] {
        assert_eq!(refused(&alice.call(Method::GET, &path, None).await), (404, "M_NOT_FOUND".into()));
        alice.put(&path, json!({ "a": 1 })).await;
        assert_eq!(alice.get(&path).await, json!({ "a": 1 }));
    }
    for kind in ["m.fully_read", "m.push_rules"] {
        let answer = alice.call(Method::PUT, &format!("{user}/account_data/{kind}"), Some(json!({}))).await;
        assert_eq!(refused(&answer), (405, "M_BAD_JSON".into()));
    }
    alice.put(&format!("{in_room}/tags/m.favourite"), json!({ "order": 0.5 })).await;
    assert_eq!(alice.get(&format!("{in_room}/tags")).await, json!({ "tags": { "m.favourite": { "order": 0.5 } } }));
    alice.delete(&format!("{in_room}/tags/m.favourite")).await;
    assert_eq!(alice.get(&format!("{in_room}/tags")).await, json!({ "tags": {} }));
    let filter = json!({ "room": { "timeline": { "limit": 5 } }, "org.example.more": true });
    let id = alice.post(&format!("{user}/filter"), filter.clone()).await["filter_id"].as_str().unwrap().to_owned();
    assert_eq!(alice.get(&format!("{user}/filter/{id}")).await, filter);
    let bad = json!({ "room": { "timeline": { "senders": ["not a user"] } } });
    let answer = alice.call(Method::POST, &format!("{user}/filter"), Some(bad)).await;
    assert_eq!(refused(&answer), (400, "M_BAD_JSON".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_login_token_and_an_openid_token_prove_who_asked() {
    let server = server().await;
    let alice = server.user("alice").await;
    let token = alice.post("/v1/login/get_token", json!({ "auth": password("alice", "alice") })).await;
    let body = json!({ "type": "m.login.token", "token": token["login_token"] });
    assert_eq!(post(&server, "/login", body.clone()).await.ok()["user_id"], "@alice:test.example");
    assert_eq!(refused(&post(&server, "/login", body).await), (403, "M_FORBIDDEN".into()));

    let openid = alice.post("/v3/user/@alice:test.example/openid/request_token", json!({})).await;
    let path = |token: &str| format!("/_matrix/federation/v1/openid/userinfo?access_token={token}");
    let info = server.http().send(Method::GET, &path(openid["access_token"].as_str().unwrap()), None, "").await;
    assert_eq!(info.ok(), json!({ "sub": "@alice:test.example" }));
    let unknown = server.http().send(Method::GET, &path("x"), None, "").await;
    assert_eq!(refused(&unknown), (401, "M_UNKNOWN_TOKEN".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_locked_account_can_only_log_out() {
    let server = server().await;
    let alice = server.user("alice").await;
    server.server().wired().state.accounts.update(&alice.user_id, |row| row.locked = true).await.unwrap();
    let answer = alice.call(Method::GET, "/v3/account/whoami", None).await;
    assert_eq!(refused(&answer), (401, "M_USER_LOCKED".into()));
    assert_eq!(answer.json()["soft_logout"], true);
    alice.post("/v3/logout", json!({})).await;
    server.stop().await;
}

#[tokio::test]
async fn well_known_documents_are_served_where_they_are_configured() {
    let server = TestServer::builder()
        .in_memory()
        .config(|config| config.well_known.client = Some("https://matrix.test.example".into()))
        .start()
        .await;
    let get =
        async |name: &str| server.http().send(Method::GET, &format!("/.well-known/matrix/{name}"), None, "").await;
    let document = get("client").await.ok();
    assert_eq!(document["m.homeserver"], json!({ "base_url": "https://matrix.test.example" }));
    assert_eq!(document["org.matrix.msc3814"], true);
    assert_eq!(refused(&get("server").await), (404, "M_NOT_FOUND".into()));
    assert_eq!(refused(&get("support").await), (404, "M_NOT_FOUND".into()));
    server.stop().await;
}
