//! Who may ask what only servers may ask.

use std::time::Duration;

use futures::future::select_all;
use http::{Method, StatusCode};
use serde_json::json;
use testkit::{Remote, TestServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Only servers may ask this; the user is not there.
const PATH: &str = "/_matrix/federation/v1/query/profile?user_id=%40nobody%3Atest.example";

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

/// What `remote` is answered to `PATH` with this header: status and `errcode`.
async fn answered(remote: &Remote, authorization: &str) -> (StatusCode, String) {
    let answer = remote.send(Method::GET, PATH, authorization, String::new()).await;
    (answer.status, answer.errcode())
}

fn refused() -> (StatusCode, String) {
    (StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED".to_owned())
}

fn let_in() -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, "M_NOT_FOUND".to_owned())
}

#[tokio::test]
async fn signed_requests_are_let_in_however_their_header_is_written() {
    let server = server().await;
    let remote = server.remote("remote.test").await;
    let sig = remote.signature(&Method::GET, PATH, "");
    for header in [
        format!(r#"X-Matrix origin="remote.test",destination="test.example",key="ed25519:a1",sig="{sig}""#),
        format!(r#"X-Matrix origin="remote.test",key="ed25519:a1",sig="{sig}""#),
        format!("x-matrix sig={sig} , KEY=ed25519:a1, Origin=remote.test,later=\"x\""),
    ] {
        assert_eq!(answered(&remote, &header).await, let_in(), "{header}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_signed_for_this_request_is_refused() {
    let server = server().await;
    let remote = server.remote("remote.test").await;
    let sig = remote.signature(&Method::GET, PATH, "");
    let other_path = remote.signature(&Method::GET, "/_matrix/federation/v1/version", "");
    let with_body = remote.signature(&Method::GET, PATH, "{}");
    let header = |origin: &str, destination: &str, key: &str, sig: &str| {
        format!(r#"X-Matrix origin="{origin}",destination="{destination}",key="{key}",sig="{sig}""#)
    };
    for header in [
        String::new(),
        "Bearer abc".to_owned(),
        "X-Matrix".to_owned(),
        "X-Matrix origin=remote.test".to_owned(),
        header("remote.test", "test.example", "ed25519:a1", "AAAA"),
        header("remote.test", "test.example", "ed25519:a1", &other_path),
        header("remote.test", "test.example", "ed25519:a1", &with_body),
        header("remote.test", "other.example", "ed25519:a1", &sig),
        header("test.example", "test.example", "ed25519:a1", &sig),
        header("not a server", "test.example", "ed25519:a1", &sig),
    ] {
        assert_eq!(answered(&remote, &header).await, refused(), "{header}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_says_what_failed() {
    let server = server().await;
    let remote = server.remote("remote.test").await;
    let answer = remote.send(Method::GET, PATH, "X-Matrix origin=remote.test,key=ed25519:a1", String::new()).await;
    assert_eq!(answer.json()["error"], "the Authorization header has no `sig`");
    let header = "X-Matrix origin=remote.test,key=ed25519:a1,sig=AAAA";
    let answer = remote.send(Method::GET, PATH, header, String::new()).await;
    assert_eq!(answer.json()["error"], "the signature of remote.test with ed25519:a1 does not fit this request");
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_nobody_knows_is_refused() {
    // Nobody is asked: no server is allowed to be talked to but one.
    let server = TestServer::builder()
        .in_memory()
        .config(|config| {
            config.federation.trusted_key_servers.clear();
            config.federation.allowed_servers = vec!["127.0.0.1".to_owned()];
        })
        .start()
        .await;
    // Nothing listens on port 1, and addresses of this machine are not connected to at all.
    let stranger = server.stranger("127.0.0.1:1", &[5; 32]);
    let answer = stranger.call(Method::GET, PATH, None).await;
    assert_eq!((answer.status, answer.errcode()), refused());
    let message = "the key ed25519:a1 of 127.0.0.1:1 could not be fetched, or is not valid now";
    assert_eq!(answer.json()["error"], message);
    server.stop().await;
}

#[tokio::test]
async fn servers_that_are_not_wanted_are_told_so() {
    let denied = |config: &mut hearth::Config| config.federation.denied_servers = vec!["*.bad.test".to_owned()];
    let server = TestServer::builder().in_memory().config(denied).start().await;
    let bad = server.remote("very.bad.test").await;
    let answer = bad.call(Method::GET, PATH, None).await;
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::FORBIDDEN, "M_FORBIDDEN"));
    let good = server.remote("good.test").await;
    assert_eq!(good.call(Method::GET, PATH, None).await.status, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_signed_in_canonical_form_and_read_up_to_a_limit() {
    let server = server().await;
    let remote = server.remote("remote.test").await;
    let path = "/_matrix/federation/v1/publicRooms";
    let canonical = json!({ "filter": {}, "limit": 5 }).to_string();
    let header = remote.authorization(&Method::POST, path, &canonical);
    for body in [canonical, "{ \"limit\": 5, \"filter\": {} }".to_owned()] {
        assert_eq!(remote.send(Method::POST, path, &header, body).await.status, StatusCode::OK);
    }
    for body in ["{ \"limit\": 6, \"filter\": {} }", "{ \"limit\": 5, \"filter\": {}", ""] {
        let answer = remote.send(Method::POST, path, &header, body.to_owned()).await;
        assert_eq!((answer.status, answer.errcode()), refused(), "{body}");
    }
    let large = format!("{{\"a\":\"{}\"}}", "a".repeat(2 << 20));
    let answer = remote.send(Method::POST, path, &header, large).await;
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE"));
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_asks_too_much_is_told_when_to_come_back() {
    let limits = |config: &mut hearth::Config| {
        config.rate_limits.enabled = true;
        config.rate_limits.federation = api::RateLimit { per_second: 0.001, burst: 2 };
    };
    let server = TestServer::builder().in_memory().config(limits).start().await;
    let (one, other) = (server.remote("one.test").await, server.remote("other.test").await);
    for _ in 0..2 {
        assert_eq!(one.call(Method::GET, PATH, None).await.status, StatusCode::NOT_FOUND);
    }
    let answer = one.call(Method::GET, PATH, None).await;
    assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED"));
    assert_eq!(other.call(Method::GET, PATH, None).await.status, StatusCode::NOT_FOUND);
    // Who only claims to be another server does not use up what that one may ask.
    for _ in 0..5 {
        let header = "X-Matrix origin=other.test,key=ed25519:a1,sig=AAAA";
        assert_eq!(other.send(Method::GET, PATH, header, String::new()).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(other.call(Method::GET, PATH, None).await.status, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn without_federation_its_paths_are_unknown() {
    let off = |config: &mut hearth::Config| config.federation.enabled = false;
    let server = TestServer::builder().in_memory().config(off).start().await;
    let remote = server.stranger("remote.test", &[5; 32]);
    for path in [PATH, "/_matrix/federation/v1/version", "/_matrix/key/v2/server"] {
        let answer = remote.call(Method::GET, path, None).await;
        assert_eq!((answer.status, answer.errcode().as_str()), (StatusCode::NOT_FOUND, "M_UNRECOGNIZED"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_of_servers_are_unrecognized() {
    let server = server().await;
    let call = async |method: Method, path: &str| {
        let answer = server.http().send(method, path, None, "").await;
        (answer.status.as_u16(), answer.errcode())
    };
    let unrecognized = |status: u16| (status, "M_UNRECOGNIZED".to_owned());
    for path in ["/_matrix/federation/v1/nothing", "/_matrix/federation/unknown", "/_matrix/key/nothing"] {
        assert_eq!(call(Method::GET, path).await, unrecognized(404), "{path}");
    }
    assert_eq!(call(Method::PUT, "/_matrix/federation/v1/version").await, unrecognized(405));
    assert_eq!(call(Method::PATCH, "/_matrix/key/v2/query").await, unrecognized(405));
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_nobody_has_proven_take_a_bounded_part_of_memory() {
    const BYTES: usize = 10_000_000;
    let server = server().await;
    let remote = server.remote("remote.test").await;
    let path = "/_matrix/federation/v1/send/1";
    let authorization = remote.authorization(&Method::PUT, path, "{}");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: test.example\r\nAuthorization: {authorization}\r\nContent-Length: {}\r\n\r\n",
        BYTES + 1
    );
    let mut begun = Vec::new();
    // One address may have 64 MiB; none of these ends.
    for _ in 0..7 {
        let mut stream = TcpStream::connect(server.server().addresses()[0]).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // One of them is closed before its end.
        let _ = stream.write_all(&vec![b' '; BYTES]).await;
        begun.push(stream);
    }
    let answers = begun.iter_mut().map(|stream| {
        Box::pin(async move {
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.unwrap();
            start
        })
    });
    let (first, ..) = tokio::time::timeout(Duration::from_secs(60), select_all(answers)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&first), "HTTP/1.1 429");
    drop(begun);
    let signed = remote.authorization(&Method::GET, PATH, "");
    assert_eq!(answered(&remote, &signed).await, let_in());
    server.stop().await;
}
