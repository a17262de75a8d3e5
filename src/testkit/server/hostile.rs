//! Every served route, asked what no client asks: whatever comes of it is the asker's error, never the server's.

use api::{Credential, RouteInfo};
use http::{Method, StatusCode};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Map, Value, json};
use testkit::{Client, TestServer};

use crate::edge::{check, filled, served};

/// Keys that some endpoint reads.
const KEYS: &[&str] = &[
    "actions",
    "algorithm",
    "auth",
    "auth_data",
    "avatar_url",
    "conditions",
    "content",
    "creation_content",
    "data",
    "default",
    "delay",
    "delay_id",
    "devices",
    "device_data",
    "device_id",
    "device_keys",
    "displayname",
    "edus",
    "enabled",
    "event_format",
    "event_id",
    "events",
    "fallback_keys",
    "filter",
    "identifier",
    "initial_state",
    "invite",
    "kind",
    "limit",
    "lists",
    "m.fully_read",
    "m.read",
    "master_key",
    "medium",
    "membership",
    "messages",
    "name",
    "new_version",
    "next_batch",
    "one_time_keys",
    "order",
    "password",
    "pattern",
    "power_level_content_override",
    "presence",
    "preset",
    "pushkey",
    "reason",
    "room_alias_name",
    "room_id",
    "room_types",
    "room_version",
    "rooms",
    "score",
    "search_categories",
    "search_term",
    "self_signing_key",
    "sessions",
    "signatures",
    "since",
    "status_msg",
    "thread_id",
    "timeout",
    "token",
    "topic",
    "type",
    "typing",
    "unread",
    "user_id",
    "user_signing_key",
    "username",
    "via",
    "visibility",
];

/// Queries that make no sense, or ask for more than there is.
const QUERIES: &[&str] = &[
    "limit=-1&from=x&to=x&dir=x&since=x&filter=%7B&timeout=-1&ts=x&at=x&width=-1&height=0&method=x&version=x&user_id=x",
    "limit=99999999999999999999&from=s&dir=b&since=s1_1&timeout=0&ts=-1&width=99999999999&height=1&method=scale",
    "limit=18446744073709551615&dir=f&ts=18446744073709551615&width=4294967295&height=4294967295&method=crop&version=0",
    "filter=%7B%22room%22%3A1%7D&timeout=0&from=%00&since=%F0%9F%A6%8C&to=%FF&dir=b&limit=0&at=%00&username=%00",
    "filter=%5B%5D&filter=x&filter=0&timeout=0&limit=1&limit=2&dir=b&dir=f&url=file%3A%2F%2F%2Fetc&org.example=1",
];

/// What stands for a variable of a path.
const NAMES: &[&str] = &["%00", "%FF", "%2F..%2F..", "@", "!", "$", "%23", "%F0%9F%A6%8C", "x%20y", ":"];

/// Routes after which the asker has no session or is not in the room, so that the others would be asked for nothing.
const LAST: &[&str] = &["/logout", "/logout/all", "/leave", "/forget", "/account/deactivate"];

struct Walker {
    server: TestServer,
    client: Client,
    room: OwnedRoomId,
    event: OwnedEventId,
}

impl Walker {
    async fn new() -> Self {
        let builder = TestServer::builder().in_memory().config(|config| {
            // Names of servers that nobody has are not looked for.
            config.federation.allowed_servers = vec!["test.example".to_owned()];
            config.http.max_body_bytes = 64 * 1024;
        });
        let server = builder.start().await;
        let (client, room) = server.user_in_room("walker").await;
        let state = &server.server().wired().state;
        state.accounts.update(&client.user_id, |row| row.admin = true).await.unwrap();
        let event = client.send_text(&room, "first", "hello").await;
        Self { server, client, room, event }
    }

    /// The path with what there is for its variables.
    fn path(&self, path: &str) -> String {
        let path = path.replace("{user_id}", self.client.user_id.as_str());
        let path = path.replace("{room_id}", self.room.as_str()).replace("{room_id_or_alias}", self.room.as_str());
        let path = path.replace("{event_id}", self.event.as_str()).replace("{thread_root}", self.event.as_str());
        filled(&path.replace("{device_id}", self.client.device_id.as_str()))
    }

    async fn ask(&self, route: &RouteInfo, path: &str, body: &str) -> StatusCode {
        let token = Some(self.client.token.as_str());
        let answer = self.server.http().send(route.method.clone(), path, token, body.to_owned()).await;
        check(route, &answer);
        answer.status
    }

    /// Whether the session is still there and the walker still in the room.
    async fn is_there(&self) -> bool {
        let path = format!("/v3/rooms/{}/event/{}", self.room, self.event);
        self.client.call(Method::GET, &path, None).await.status == StatusCode::OK
    }
}

fn of_clients() -> Vec<RouteInfo> {
    let is_last = |route: &RouteInfo| LAST.iter().any(|end| route.path.ends_with(end));
    served().into_iter().filter(|route| route.credential != Credential::Server && !is_last(route)).collect()
}

/// One value under every key.
fn everywhere(value: &Value) -> String {
    let object: Map<_, _> = KEYS.iter().map(|key| ((*key).to_owned(), value.clone())).collect();
    Value::Object(object).to_string()
}

async fn walk_with(bodies: impl IntoIterator<Item = String>) {
    let walker = Walker::new().await;
    for body in bodies {
        for route in of_clients().iter().filter(|route| [Method::PUT, Method::POST].contains(&route.method)) {
            walker.ask(route, &walker.path(&route.path), &body).await;
        }
        assert!(walker.is_there().await, "{body}");
    }
    walker.server.stop().await;
}

#[tokio::test]
async fn values_of_other_types_are_the_askers_error() {
    let odd = [json!(null), json!(-1), json!(1e300), json!(u64::MAX), json!(true), json!([[null]]), json!({})];
    walk_with(odd.iter().map(everywhere)).await;
}

#[tokio::test]
async fn texts_and_objects_that_fit_nowhere_are_the_askers_error() {
    let long = "x".repeat(700);
    let odd = [
        json!("\0"),
        json!(long),
        json!("@walker:test.example"),
        json!(["@walker:test.example", "@nobody:elsewhere.example"]),
        json!([{ "type": "m.room.member", "state_key": "@walker:test.example", "content": {} }]),
        json!({ "@walker:test.example": { "*": { "": 1 } }, "": { "": [] } }),
        json!({ "ed25519:x": "x", "keys": { "ed25519:x": "x" }, "user_id": "@walker:test.example", "usage": ["master"] }),
    ];
    walk_with(odd.iter().map(everywhere)).await;
}

#[tokio::test]
async fn json_that_is_deep_or_repeats_itself_is_the_askers_error() {
    let deep = format!("{{\"content\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let repeated = format!("{{{}}}", vec!["\"type\":\"a\""; 500].join(","));
    walk_with([deep, repeated, "{\"a\":\"\u{FEFF}\"}".to_owned(), "{\"\\ud800\":\"\\ud800\"}".to_owned()]).await;
}

#[tokio::test]
async fn queries_that_make_no_sense_are_the_askers_error() {
    let walker = Walker::new().await;
    for route in &of_clients() {
        for query in QUERIES {
            walker.ask(route, &format!("{}?{query}", walker.path(&route.path)), "").await;
        }
    }
    walker.server.stop().await;
}

#[tokio::test]
async fn names_that_nothing_has_are_the_askers_error() {
    let walker = Walker::new().await;
    let long = "x".repeat(2000);
    for route in of_clients().iter().filter(|route| route.path.contains('{')) {
        for name in NAMES.iter().copied().chain([long.as_str()]) {
            let part = |part: &str| if part.starts_with('{') { name.to_owned() } else { part.to_owned() };
            let path = route.path.split('/').map(part).collect::<Vec<_>>().join("/");
            walker.ask(route, &path, "{}").await;
        }
    }
    walker.server.stop().await;
}

#[tokio::test]
async fn routes_that_need_no_token_answer_without_one_and_with_a_bad_one() {
    let walker = Walker::new().await;
    let open = |route: &RouteInfo| matches!(route.credential, Credential::None | Credential::Optional);
    for route in served().iter().filter(|route| open(route)) {
        for token in [None, Some("nobody_has_this")] {
            let path = filled(&route.path);
            let answer = walker.server.http().send(route.method.clone(), &path, token, "{}").await;
            check(route, &answer);
        }
    }
    walker.server.stop().await;
}

#[tokio::test]
async fn other_servers_that_send_nonsense_are_told_so() {
    let server = TestServer::builder().in_memory().start().await;
    let remote = server.remote("remote.example").await;
    let mut taken = Vec::new();
    for route in served().iter().filter(|route| route.credential == Credential::Server) {
        let path = filled(&route.path);
        let with_query = format!("{path}?{}", QUERIES[1]);
        for body in [None, Some(json!({})), Some(json!({ "pdus": 1, "edus": {}, "event": [], "type": null }))] {
            let has_body = body.is_some();
            for path in [&path, &with_query] {
                let answer = remote.call(route.method.clone(), path, body.clone()).await;
                check(route, &answer);
                // Everything in a question for public rooms may be left out.
                let asks = has_body && route.method != Method::GET && !route.path.ends_with("/publicRooms");
                if asks && !answer.status.is_client_error() {
                    taken.push(format!("{} {} {}", route.method, route.path, answer.status));
                }
            }
        }
        if route.method != Method::GET {
            let authorization = remote.authorization(&route.method, &path, "{}");
            for (body, status) in [
                ("{\"a\": ".to_owned(), StatusCode::UNAUTHORIZED),
                ("x".repeat(16 << 20), StatusCode::PAYLOAD_TOO_LARGE),
            ] {
                let answer = remote.send(route.method.clone(), &path, &authorization, body).await;
                check(route, &answer);
                assert_eq!(answer.status, status, "{} {}", route.method, route.path);
            }
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
    server.stop().await;
}
