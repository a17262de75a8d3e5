//! Uploads, downloads and thumbnails as clients meet them.

use base::Clock;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use testkit::{Answer, Client, TestServer};

/// A red pixel.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

async fn server() -> TestServer {
    TestServer::builder().in_memory().start().await
}

async fn send(
    (server, client): (&TestServer, &Client),
    method: Method,
    path: &str,
    headers: &[(header::HeaderName, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let address = server.server().addresses()[0];
    let mut request = Request::builder().method(method).uri(format!("http://{address}/_matrix{path}"));
    request = request.header(header::AUTHORIZATION, format!("Bearer {}", client.token));
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    server.http().send_request(request.body(Full::new(body.into())).unwrap()).await
}

async fn upload(server: &TestServer, client: &Client, kind: &str, name: &str, bytes: &[u8]) -> String {
    let path = format!("/media/v3/upload?filename={name}");
    let body = Bytes::copy_from_slice(bytes);
    let answer = send((server, client), Method::POST, &path, &[(header::CONTENT_TYPE, kind)], body).await.ok();
    tail(&answer)
}

/// `server/id` of the address in `content_uri`.
fn tail(answer: &Value) -> String {
    answer["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned()
}

async fn get(server: &TestServer, client: &Client, path: &str) -> Answer {
    send((server, client), Method::GET, path, &[], "").await
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.errcode())
}

fn field(answer: &Answer, name: header::HeaderName) -> &str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn an_upload_comes_back_with_headers_that_keep_browsers_safe() {
    let server = server().await;
    let alice = server.user("alice").await;
    let picture = upload(&server, &alice, "image/gif", "a%20b%3B.gif", PIXEL).await;
    let answer = get(&server, &alice, &format!("/client/v1/media/download/{picture}")).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, PIXEL));
    assert_eq!(field(&answer, header::CONTENT_TYPE), "image/gif");
    assert_eq!(field(&answer, header::CONTENT_LENGTH), PIXEL.len().to_string());
    assert_eq!(field(&answer, header::CONTENT_DISPOSITION), "inline; filename=\"a b;.gif\"");
    assert!(field(&answer, header::CONTENT_SECURITY_POLICY).starts_with("sandbox;"));
    assert_eq!(field(&answer, header::HeaderName::from_static("cross-origin-resource-policy")), "cross-origin");
    let page = upload(&server, &alice, "text/html", "x.html", b"<script>").await;
    let answer = get(&server, &alice, &format!("/client/v1/media/download/{page}/%E2%98%95")).await;
    assert_eq!(field(&answer, header::CONTENT_DISPOSITION), "attachment; filename*=utf-8''%E2%98%95");
    server.stop().await;
}

#[tokio::test]
async fn a_known_file_is_not_sent_again_and_a_range_is_sent_alone() {
    let server = server().await;
    let alice = server.user("alice").await;
    let path = format!("/client/v1/media/download/{}", upload(&server, &alice, "text/plain", "", b"0123456789").await);
    let tag = field(&get(&server, &alice, &path).await, header::ETAG).to_owned();
    let to = (&server, &alice);
    let again = send(to, Method::GET, &path, &[(header::IF_NONE_MATCH, &tag)], "").await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let part = send(to, Method::GET, &path, &[(header::RANGE, "bytes=2-4")], "").await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
    assert_eq!(field(&part, header::CONTENT_RANGE), "bytes 2-4/10");
    let beyond = send(to, Method::GET, &path, &[(header::RANGE, "bytes=10-")], "").await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    server.stop().await;
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_after_it_was_read() {
    let limited = |config: &mut hearth::Config| config.media.max_upload_bytes = 1 << 20;
    let server = TestServer::builder().in_memory().config(limited).start().await;
    let alice = server.user("alice").await;
    let config = get(&server, &alice, "/client/v1/media/config").await.ok();
    assert_eq!(config["m.upload.size"], 1 << 20);
    assert_eq!(get(&server, &alice, "/media/v3/config").await.ok(), config);
    let big = send((&server, &alice), Method::POST, "/media/v3/upload", &[], vec![0; (1 << 20) + 1]).await;
    assert_eq!(refused(&big), (413, "M_TOO_LARGE".into()));
    server.stop().await;
}

#[tokio::test]
async fn an_id_is_promised_kept_once_by_its_owner_and_void_after_a_day() {
    let clock = Clock::fixed(1_800_000_000_000);
    let server = TestServer::builder().in_memory().clock(clock.clone()).start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let promise = send((&server, &alice), Method::POST, "/media/v1/create", &[], "{}").await.ok();
    assert_eq!(promise["unused_expires_at"], clock.now() + DAY_MS);
    let id = tail(&promise);
    let download = format!("/client/v1/media/download/{id}?timeout_ms=0");
    assert_eq!(refused(&get(&server, &bob, &download).await), (504, "M_NOT_YET_UPLOADED".into()));
    let put = async |client: &Client, id: &str| {
        send((&server, client), Method::PUT, &format!("/media/v3/upload/{id}"), &[], "late").await
    };
    assert_eq!(refused(&put(&bob, &id).await), (403, "M_FORBIDDEN".into()));
    assert_eq!(put(&alice, &id).await.ok(), serde_json::json!({}));
    assert_eq!(refused(&put(&alice, &id).await), (409, "M_CANNOT_OVERWRITE_MEDIA".into()));
    assert_eq!(&get(&server, &bob, &download).await.body[..], b"late");
    let unused = tail(&send((&server, &alice), Method::POST, "/media/v1/create", &[], "").await.ok());
    clock.advance(DAY_MS);
    assert_eq!(refused(&put(&alice, &unused).await), (404, "M_NOT_FOUND".into()));
    server.stop().await;
}

#[tokio::test]
async fn unused_ids_are_limited() {
    let limited = |config: &mut hearth::Config| config.media.max_pending_uploads = 1;
    let server = TestServer::builder().in_memory().config(limited).start().await;
    let alice = server.user("alice").await;
    send((&server, &alice), Method::POST, "/media/v1/create", &[], "").await.ok();
    let more = send((&server, &alice), Method::POST, "/media/v1/create", &[], "").await;
    assert_eq!(refused(&more), (429, "M_LIMIT_EXCEEDED".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_thumbnail_is_made_of_an_image_and_of_nothing_else() {
    let server = server().await;
    let alice = server.user("alice").await;
    let picture = upload(&server, &alice, "image/gif", "", PIXEL).await;
    let thumbnail = |id: &str, query: &str| format!("/client/v1/media/thumbnail/{id}?{query}");
    let answer = get(&server, &alice, &thumbnail(&picture, "width=32&height=32&method=crop")).await;
    assert_eq!((answer.status, field(&answer, header::CONTENT_TYPE)), (StatusCode::OK, "image/gif"));
    let text = upload(&server, &alice, "image/png", "", b"no picture").await;
    for (id, query, code) in [
        (&text, "width=32&height=32", "M_UNKNOWN"),
        (&picture, "width=0&height=32", "M_UNKNOWN"),
        (&picture, "height=32", "M_MISSING_PARAM"),
        (&picture, "width=-1&height=32", "M_INVALID_PARAM"),
        (&picture, "width=1&height=32&method=stretch", "M_INVALID_PARAM"),
    ] {
        assert_eq!(refused(&get(&server, &alice, &thumbnail(id, query)).await), (400, code.into()), "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn new_media_is_not_served_without_a_token() {
    let server = server().await;
    let alice = server.user("alice").await;
    let id = upload(&server, &alice, "image/gif", "", PIXEL).await;
    for path in ["download/{}", "download/{}/name", "thumbnail/{}?width=1&height=1"].map(|path| path.replace("{}", &id))
    {
        let open = server.http().send(Method::GET, &format!("/_matrix/media/v3/{path}"), None, "").await;
        assert_eq!(refused(&open), (404, "M_NOT_FOUND".into()), "{path}");
        let closed = server.http().send(Method::GET, &format!("/_matrix/client/v1/media/{path}"), None, "").await;
        assert_eq!(refused(&closed), (401, "M_MISSING_TOKEN".into()), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn ids_that_cannot_be_are_not_found() {
    let server = server().await;
    let alice = server.user("alice").await;
    for id in ["test.example/..%2F..%2Fetc", "test.example/a.b", "test.example/unknown"] {
        let answer = get(&server, &alice, &format!("/client/v1/media/download/{id}")).await;
        assert_eq!(refused(&answer), (404, "M_NOT_FOUND".into()), "{id}");
    }
    // A server at an address that nothing is asked of.
    let answer = get(&server, &alice, "/client/v1/media/download/127.0.0.1:1/x").await;
    assert_eq!(refused(&answer), (502, "M_UNKNOWN".into()));
    let answer = get(&server, &alice, "/client/v1/media/download/a%20b/x").await;
    assert_eq!(refused(&answer), (400, "M_INVALID_PARAM".into()));
    server.stop().await;
}
