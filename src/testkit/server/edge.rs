//! Every served route, called wrongly.

use api::{Credential, RouteInfo, Serves};
use http::{Method, StatusCode};
use testkit::{Answer, TestServer};

/// Largest body in these tests, in bytes.
const LIMIT: usize = 32 * 1024;

async fn server() -> TestServer {
    let builder = TestServer::builder().in_memory().config(|config| {
        config.http.max_body_bytes = LIMIT;
        config.registration.shared_secret = Some("secret".to_owned());
        config.server_notices.localpart = Some("notices".to_owned());
    });
    let server = builder.start().await;
    let walker = server.user("walker").await;
    // Otherwise the routes of administrators would refuse who asks before they look at what is asked.
    server.server().wired().state.accounts.update(&walker.user_id, |row| row.admin = true).await.unwrap();
    server
}

pub fn served() -> Vec<RouteInfo> {
    Serves { client: true, federation: true }.routes().served().to_vec()
}

/// The path with something plausible for each of its variables.
pub fn filled(path: &str) -> String {
    let value = |part: &str| match part {
        "{user_id}" => "@somebody:test.example".to_owned(),
        "{room_id}" | "{room_id_or_alias}" => "!nowhere:test.example".to_owned(),
        "{room_alias}" => "%23nothing:test.example".to_owned(),
        "{event_id}" | "{thread_root}" => "$nothing:test.example".to_owned(),
        "{action}" => "cancel".to_owned(),
        "{server_name}" => "test.example".to_owned(),
        "{event_type}" => "m.room.message".to_owned(),
        "{receipt_type}" => "m.read".to_owned(),
        "{rel_type}" => "m.annotation".to_owned(),
        "{scope}" => "global".to_owned(),
        "{kind}" => "override".to_owned(),
        variable if variable.starts_with('{') => "x".to_owned(),
        literal => literal.to_owned(),
    };
    path.split('/').map(value).collect::<Vec<_>>().join("/")
}

/// What every answer has, whatever was asked.
pub fn check(route: &RouteInfo, answer: &Answer) {
    let what = format!("{} {} answered {} {:?}", route.method, route.path, answer.status, answer.body);
    assert!(!answer.status.is_server_error() || answer.status == StatusCode::GATEWAY_TIMEOUT, "{what}");
    assert_eq!(answer.headers["access-control-allow-origin"], "*", "{what}");
    assert!(answer.headers.contains_key("x-request-id"), "{what}");
    if answer.status.is_client_error() {
        assert_eq!(answer.headers["content-type"], "application/json", "{what}");
        let json = answer.json();
        assert!(json.get("errcode").is_some() || json.get("flows").is_some(), "{what}");
    }
}

/// Calls every route that `wanted` picks, with a session of its own; returns those whose answer is not `expected`.
async fn walk(
    wanted: impl Fn(&RouteInfo) -> bool,
    body: &str,
    token: impl AsyncFn(&TestServer) -> Option<String>,
    expected: (StatusCode, &str),
) -> Vec<String> {
    let server = server().await;
    let mut others = Vec::new();
    for route in served().iter().filter(|route| wanted(route)) {
        let token = token(&server).await;
        let (method, path) = (route.method.clone(), filled(&route.path));
        let answer = server.http().send(method, &path, token.as_deref(), body.to_owned()).await;
        check(route, &answer);
        let errcode = if answer.status.is_client_error() { answer.errcode() } else { String::new() };
        if (answer.status, errcode.as_str()) != expected {
            others.push(format!("{} {} {} {errcode}", route.method, route.path, answer.status));
        }
    }
    server.stop().await;
    others
}

async fn session(server: &TestServer) -> Option<String> {
    Some(server.login("walker").await.token)
}

fn has_body(route: &RouteInfo) -> bool {
    let upload = route.path.contains("/media/") && route.path.contains("/upload");
    // What a server has not signed is not read.
    let raw = upload || route.credential == Credential::Server;
    (route.method == Method::PUT || route.method == Method::POST) && !raw
}

/// Routes that take no body, or any.
const BODILESS: &[&str] = &[
    "/logout",
    "/logout/all",
    "/openid/request_token",
    "/login/get_token",
    "/forget",
    "/{delay_id}/{action}",
    "/media/v1/create",
    "/media/unstable/fi.mau.msc2246/create",
    "/reset_connection",
];

fn unexpected(others: Vec<String>) -> Vec<String> {
    let bodiless = |line: &String| BODILESS.iter().any(|end| line.split(' ').nth(1).unwrap().ends_with(end));
    others.into_iter().filter(|line| !bodiless(line)).collect()
}

#[tokio::test]
async fn a_missing_token_is_refused_where_one_is_required() {
    let required = |route: &RouteInfo| route.credential == Credential::Required;
    let others = walk(required, "{}", async |_| None, (StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN")).await;
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused_where_one_is_required() {
    let required = |route: &RouteInfo| route.credential == Credential::Server;
    let others = walk(required, "{}", async |_| None, (StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED")).await;
    assert!(others.is_empty(), "{}", others.join("\n"));
    let others = walk(required, "{}", session, (StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED")).await;
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[tokio::test]
async fn a_bad_token_is_refused_where_one_is_required() {
    let required = |route: &RouteInfo| route.credential == Credential::Required;
    let bad = async |_: &TestServer| Some("nobody_has_this".to_owned());
    let others = walk(required, "{}", bad, (StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN")).await;
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[tokio::test]
async fn broken_json_is_refused_where_a_body_is_read() {
    let others = walk(has_body, "{\"a\": ", session, (StatusCode::BAD_REQUEST, "M_NOT_JSON")).await;
    let others = unexpected(others);
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[tokio::test]
async fn a_wrong_shape_is_refused_where_a_body_is_read() {
    let others = walk(has_body, "[1, 2]", session, (StatusCode::BAD_REQUEST, "M_BAD_JSON")).await;
    let others = unexpected(others);
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[tokio::test]
async fn an_oversized_body_is_refused_where_a_body_is_read() {
    let body = format!("{{\"a\": \"{}\"}}", "a".repeat(LIMIT));
    let mut others = walk(has_body, &body, session, (StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE")).await;
    // The one that does not look at its body at all.
    others.retain(|line| !line.contains("/reset_connection "));
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_unrecognized() {
    let server = server().await;
    let call = async |method, path: &str| server.http().send(method, path, None, "").await;
    for path in ["/", "/_matrix/client/v3/nothing", "/_matrix/what"] {
        let answer = call(Method::GET, path).await;
        assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::NOT_FOUND, "M_UNRECOGNIZED"), "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
    let answer = call(Method::DELETE, "/_matrix/client/versions").await;
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED"));
    server.stop().await;
}

#[tokio::test]
async fn browsers_may_ask_first() {
    let server = server().await;
    for path in ["/_matrix/client/v3/sync", "/_matrix/nothing"] {
        let answer = server.http().send(Method::OPTIONS, path, None, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.headers["access-control-allow-headers"].to_str().unwrap().contains("Authorization"));
        assert!(answer.headers["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    }
    server.stop().await;
}

#[tokio::test]
async fn too_many_log_ins_are_told_when_to_come_back() {
    let server = TestServer::builder().in_memory().config(|config| config.rate_limits.enabled = true).start().await;
    let body = r#"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"nobody"},"password":"x"}"#;
    let mut last = None;
    for _ in 0..6 {
        last = Some(server.http().send(Method::POST, "/_matrix/client/v3/login", None, body).await);
    }
    let answer = last.unwrap();
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED"));
    let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds > 0);
    assert!(answer.json()["retry_after_ms"].as_u64().unwrap() <= seconds * 1000);
    server.stop().await;
}
