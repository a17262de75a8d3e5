//! Every class of rate limit is taken by the endpoints that it is for.

use api::{RateLimit, RateLimitsConfig};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Client, TestServer};

/// A server on which everything may be done twice, and never again that day.
async fn strict() -> TestServer {
    let twice = RateLimit { per_second: 0.0, burst: 2 };
    let limits = RateLimitsConfig {
        message: twice,
        login: twice,
        registration: RateLimit { burst: 5, ..twice },
        registration_token: twice,
        join: twice,
        join_remote: RateLimit { burst: 1, ..twice },
        join_per_room: RateLimit { burst: 1, ..twice },
        invite_per_room: RateLimit { burst: 1, ..twice },
        invite: twice,
        invited: RateLimit { burst: 3, ..twice },
        create_room: twice,
        report: twice,
        create_media: twice,
        presence: twice,
        lookup: twice,
        search: twice,
        user_directory: twice,
        delayed_event: twice,
        preview: twice,
        server_invite: twice,
        ..RateLimitsConfig::default()
    };
    TestServer::builder().config(|config| config.rate_limits = limits).start().await
}

/// Asks until it is too much; how many times it was not.
async fn times(client: &Client, method: Method, path: &str, body: &Value) -> usize {
    for done in 0..10 {
        let answer = client.call(method.clone(), path, Some(body.clone())).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let told: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(told["errcode"], "M_LIMIT_EXCEEDED");
            assert!(answer.headers.contains_key("retry-after"), "{path}");
            return done;
        }
    }
    panic!("{path} is not limited");
}

#[tokio::test]
async fn what_users_do_is_limited_by_its_class() {
    let server = strict().await;
    let (alice, bob, carol) = (server.user("alice").await, server.user("bob").await, server.user("carol").await);
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let other = alice.create_room(json!({ "preset": "public_chat" })).await;
    let none = json!({});
    assert_eq!(times(&alice, Method::POST, "/v3/createRoom", &none).await, 0, "two rooms are created");
    let text = json!({ "msgtype": "m.text", "body": "hi" });
    assert_eq!(times(&alice, Method::PUT, &format!("/v3/rooms/{room}/send/m.room.message/same"), &text).await, 2);
    let state = format!("/v3/rooms/{room}/state/m.room.topic");
    assert_eq!(times(&alice, Method::PUT, &state, &json!({ "topic": "a" })).await, 0, "state is of the same class");
    let redact = format!("/v3/rooms/{room}/redact/$none/txn");
    assert_eq!(times(&alice, Method::PUT, &redact, &none).await, 0, "redactions too");

    assert_eq!(times(&bob, Method::POST, &format!("/v3/join/{room}"), &none).await, 1, "by room");
    assert_eq!(times(&carol, Method::POST, &format!("/v3/rooms/{room}/join"), &none).await, 0, "by anybody");
    assert_eq!(times(&carol, Method::POST, &format!("/v3/knock/{other}"), &none).await, 1, "by user");

    let invite = |user: &str| json!({ "user_id": format!("@{user}:test.example") });
    assert_eq!(times(&alice, Method::POST, &format!("/v3/rooms/{room}/invite"), &invite("dave")).await, 1, "by room");
    assert_eq!(times(&alice, Method::POST, &format!("/v3/rooms/{other}/invite"), &invite("dave")).await, 0, "by user");

    let member = format!("/v3/rooms/{room}/state/m.room.member/@dave:test.example");
    let as_state = json!({ "membership": "invite" });
    assert_eq!(times(&bob, Method::PUT, &member, &as_state).await, 0, "as state too");
    let two = json!({ "invite": ["@dave:test.example", "@erin:test.example"] });
    assert_eq!(times(&carol, Method::POST, "/v3/createRoom", &two).await, 1, "and those that a room begins with");
    let presence = json!({ "presence": "online" });
    assert_eq!(times(&bob, Method::PUT, "/v3/presence/@bob:test.example/status", &presence).await, 2);

    let create = async || server.http().send(Method::POST, "/_matrix/media/v1/create", Some(&bob.token), "{}").await;
    let answers = [create().await.status, create().await.status, create().await.status];
    assert_eq!(answers, [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
    server.stop().await;
}

#[tokio::test]
async fn who_has_no_account_yet_is_limited_by_address() {
    let server = strict().await;
    let alice = server.user("alice").await;
    let wrong = |name: &str| {
        let user = json!({ "type": "m.id.user", "user": name });
        json!({ "type": "m.login.password", "identifier": user, "password": "wrong" })
    };
    assert_eq!(times(&alice, Method::POST, "/v3/login", &wrong("alice")).await, 2);
    assert_eq!(times(&alice, Method::POST, "/v3/login", &wrong("nobody")).await, 0, "by address");
    for path in ["/v3/profile/@a:127.0.0.1:1", "/v3/publicRooms?server=127.0.0.1:1"] {
        let answer = alice.call(Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{path}");
    }
    let alias = "/v3/directory/room/%23a:127.0.0.1:1";
    assert_eq!(times(&alice, Method::GET, alias, &json!({})).await, 0, "other servers are asked");
    assert_eq!(times(&alice, Method::GET, "/v3/profile/@a:127.0.0.1:1/displayname", &json!({})).await, 0);
    let token = "/v1/register/m.login.registration_token/validity?token=none";
    assert_eq!(times(&alice, Method::GET, token, &json!({})).await, 2);
    server.stop().await;
}

#[tokio::test]
async fn searches_reports_previews_delayed_events_and_joins_afar_are_limited() {
    let server = strict().await;
    let (alice, room) = server.user_in_room("alice").await;
    let event = alice.send_text(&room, "one", "hello").await;
    let none = json!({});
    assert_eq!(times(&alice, Method::POST, &format!("/v3/rooms/{room}/report/{event}"), &none).await, 2);
    assert_eq!(times(&alice, Method::POST, &format!("/v3/rooms/{room}/report"), &none).await, 0);
    let search = json!({ "search_categories": { "room_events": { "search_term": "hello" } } });
    assert_eq!(times(&alice, Method::POST, "/v3/search", &search).await, 2);
    let people = json!({ "search_term": "alice" });
    assert_eq!(times(&alice, Method::POST, "/v3/user_directory/search", &people).await, 2);
    assert_eq!(times(&alice, Method::GET, "/v1/media/preview_url?url=http%3A%2F%2F127.0.0.1", &none).await, 2);
    let restart = "/unstable/org.matrix.msc4140/delayed_events/none/restart";
    assert_eq!(times(&alice, Method::POST, restart, &none).await, 2);
    let far = "!far:127.0.0.1:1";
    assert_eq!(times(&alice, Method::POST, &format!("/v3/join/{far}"), &none).await, 1, "of rooms elsewhere");
    server.stop().await;
}

#[tokio::test]
async fn an_invite_counts_for_who_gets_it_and_for_a_room_only_by_its_members() {
    let server = strict().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let invite = json!({ "user_id": "@dave:test.example" });
    let room = alice.create_room(json!({ "preset": "public_chat" })).await;
    let path = format!("/v3/rooms/{room}/invite");
    for _ in 0..5 {
        assert_eq!(bob.call(Method::POST, &path, Some(invite.clone())).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(times(&alice, Method::POST, &path, &invite).await, 1);
    let other = bob.create_room(json!({ "preset": "public_chat" })).await;
    let path = format!("/v3/rooms/{other}/invite");
    assert_eq!(times(&bob, Method::POST, &path, &invite).await, 1, "dave got three");
    server.stop().await;
}

#[tokio::test]
async fn invites_of_other_servers_are_limited_by_server_and_by_who_gets_them() {
    let server = strict().await;
    // None of them is good, which is found out later.
    let invite = async |from: &str, user: &str| {
        let remote = server.remote(from).await;
        let event = json!({ "type": "m.room.member", "state_key": user });
        let body = json!({ "room_version": "11", "event": event, "invite_room_state": [] });
        let path = "/_matrix/federation/v2/invite/!room:other.test/$event";
        remote.call(Method::PUT, path, Some(body)).await.status
    };
    let alice = "@alice:test.example";
    assert_eq!(invite("a.test", alice).await, StatusCode::BAD_REQUEST);
    assert_eq!(invite("a.test", alice).await, StatusCode::BAD_REQUEST);
    assert_eq!(invite("a.test", "@bob:test.example").await, StatusCode::TOO_MANY_REQUESTS, "by server");
    assert_eq!(invite("b.test", alice).await, StatusCode::BAD_REQUEST);
    assert_eq!(invite("b.test", alice).await, StatusCode::TOO_MANY_REQUESTS, "by user");
    assert_eq!(invite("c.test", "@bob:test.example").await, StatusCode::BAD_REQUEST);
    server.stop().await;
}
