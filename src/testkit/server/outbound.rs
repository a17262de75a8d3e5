//! Requests that leave the server: what is connected to, and how much of an answer is taken.

use std::{io::Write, net::Ipv4Addr, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{Method, Request as HttpRequest, Response, StatusCode};
use outbound::{Config, Error, Outbound, Request, Target, Url};
use testkit::{Authority, FakeServer};

/// A name that no name server has.
const NAME: &str = "matrix.invalid";

fn outbound(authority: &Authority, allow_private_addresses: bool) -> Outbound {
    let extra_root_certificates = vec![authority.file()];
    Outbound::new(&Config { extra_root_certificates, allow_private_addresses, ..Config::default() }).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn ok(body: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(body.into())
}

fn redirect(status: u16, to: String) -> Response<Bytes> {
    Response::builder().status(status).header("location", to).body(Bytes::new()).unwrap()
}

/// A request for `path` to a server on loopback under its name.
fn to(server: &FakeServer, path: &str) -> Request {
    Request::get(url(&format!("https://{NAME}{path}"))).to(vec![Target::new("127.0.0.1", server.port())])
}

#[tokio::test]
async fn a_server_is_asked_under_its_name_wherever_it_is_connected_to() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[NAME], |_| ok("hello")).await;
    let answer = outbound(&authority, true).send(to(&server, "/path?query=1")).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"hello"[..]));
    let asked = server.asked();
    assert_eq!(asked[0].tls_name.as_deref(), Some(NAME));
    assert_eq!(asked[0].host, NAME);
    assert_eq!(asked[0].request.uri(), "/path?query=1");
}

#[tokio::test]
async fn the_next_target_is_tried_when_one_refuses_connections() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[NAME], |_| ok("")).await;
    let closed = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let targets = vec![Target::new("127.0.0.1", closed), Target::new("127.0.0.1", server.port())];
    let request = Request::get(url(&format!("https://{NAME}/"))).to(targets);
    outbound(&authority, true).send(request).await.unwrap();
}

#[tokio::test]
async fn requests_without_targets_do_not_take_connections_of_requests_with_some() {
    let authority = Authority::new();
    let [first, second] = [
        FakeServer::start(&authority, &[NAME], |_| ok("first")).await,
        FakeServer::start(&authority, &[NAME], |_| ok("second")).await,
    ];
    let outbound = outbound(&authority, true);
    outbound.send(to(&first, "/")).await.unwrap();
    let error = outbound.send(Request::get(url(&format!("https://{NAME}/")))).await.unwrap_err();
    assert!(matches!(error, Error::Dns { .. }), "{error:?}");
    assert!(second.asked().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_taken() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &["other.invalid"], |_| ok("")).await;
    let error = outbound(&authority, true).send(to(&server, "/")).await.unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_unknown_authority_is_not_believed_unless_everybody_is() {
    let server = FakeServer::start(&Authority::new(), &[NAME], |_| ok("")).await;
    let error = outbound(&Authority::new(), true).send(to(&server, "/")).await.unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
    let config = Config { allow_private_addresses: true, accept_invalid_certificates: true, ..Config::default() };
    Outbound::new(&config).unwrap().send(to(&server, "/")).await.unwrap();
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[NAME, "localhost"], |_| ok("")).await;
    let outbound = outbound(&authority, false);
    let port = server.port();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"] {
        let error = outbound.send(Request::get(url(&format!("https://{host}:{port}/")))).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{host}: {error:?}");
    }
    for host in ["127.0.0.1", "::ffff:127.0.0.1", "localhost"] {
        let request = Request::get(url(&format!("https://{NAME}/"))).to(vec![Target::new(host, port)]);
        let error = outbound.send(request).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{host}: {error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn redirects_are_followed_only_if_wanted_and_not_for_ever() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &["127.0.0.1"], |request: &HttpRequest<Bytes>| {
        let count: u32 = request.uri().path().trim_start_matches('/').parse().unwrap();
        if count == 0 { ok("end") } else { redirect(302, format!("/{}", count - 1)) }
    })
    .await;
    let outbound = outbound(&authority, true);
    let get = |count: u32| Request::get(url(&format!("https://127.0.0.1:{}/{count}", server.port())));
    assert_eq!(outbound.send(get(1)).await.unwrap().status, StatusCode::FOUND);
    let answer = outbound.send(get(10).follow_redirects()).await.unwrap();
    assert_eq!((&*answer.body, &*answer.url.path_and_query()), (&b"end"[..], "/0"));
    assert_eq!(outbound.send(get(11).follow_redirects()).await.unwrap_err(), Error::TooManyRedirects);
}

#[tokio::test]
async fn credentials_and_bodies_do_not_go_where_a_redirect_leads() {
    let authority = Authority::new();
    let end = FakeServer::start(&authority, &["127.0.0.1"], |_| ok("")).await;
    let target = format!("https://127.0.0.1:{}/", end.port());
    let start = FakeServer::start(&authority, &["127.0.0.1"], move |_| redirect(303, target.clone())).await;
    let request = Request::new(Method::POST, url(&format!("https://127.0.0.1:{}/", start.port())))
        .json("{}".into())
        .header(http::header::AUTHORIZATION, "secret".parse().unwrap())
        .follow_redirects();
    outbound(&authority, true).send(request).await.unwrap();
    let asked = &end.asked()[0].request;
    assert_eq!(asked.method(), Method::GET);
    assert!(asked.body().is_empty() && !asked.headers().contains_key("authorization"));
}

#[tokio::test]
async fn a_redirect_to_plain_http_is_refused() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[NAME], |_| redirect(301, "http://example.org/".to_owned())).await;
    let error = outbound(&authority, true).send(to(&server, "/").follow_redirects()).await.unwrap_err();
    assert!(matches!(error, Error::Url(_)), "{error:?}");
}

#[tokio::test]
async fn no_more_of_an_answer_is_taken_than_was_allowed() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[NAME], |request: &HttpRequest<Bytes>| {
        let zeros = vec![0; 4 << 20];
        if request.uri() == "/plain" {
            return ok(zeros);
        }
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&zeros).unwrap();
        Response::builder().header("content-encoding", "gzip").body(bomb.finish().unwrap().into()).unwrap()
    })
    .await;
    let outbound = outbound(&authority, true);
    for path in ["/plain", "/bomb"] {
        let request = to(&server, path).max_body(100 << 10);
        assert_eq!(outbound.send(request).await.unwrap_err(), Error::TooLarge, "{path}");
        let request = to(&server, path).max_body(4 << 20);
        assert_eq!(outbound.send(request).await.unwrap().body.len(), 4 << 20, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_is_silent_is_given_up() {
    let authority = Authority::new();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let request = Request::get(url(&format!("https://127.0.0.1:{port}/"))).timeout(Duration::from_millis(50));
    assert_eq!(outbound(&authority, true).send(request).await.unwrap_err(), Error::Timeout);
}

#[test]
fn a_missing_file_of_authorities_is_an_error_that_names_it() {
    let config = Config { extra_root_certificates: vec!["/nowhere/ca.pem".into()], ..Config::default() };
    assert!(Outbound::new(&config).unwrap_err().to_string().contains("/nowhere/ca.pem"));
}
