//! Asking other servers: where they are found, what they are sent, what is remembered of them.

use std::sync::Arc;

use base::Clock;
use bytes::Bytes;
use event::Signer;
use federation::{Call, CallError, Client, Config, Policy};
use http::{Request as HttpRequest, Response, StatusCode};
use outbound::Outbound;
use ruma::{
    OwnedServerName, ServerName,
    api::federation::{
        authentication::XMatrix, discovery::get_server_version::v1 as version, query::get_room_information::v1 as alias,
    },
    owned_server_name,
    serde::Base64,
    server_name,
    signatures::PublicKeyMap,
};
use serde_json::json;
use testkit::{Authority, FakeServer};

struct Setup {
    authority: Authority,
    signer: Arc<Signer>,
    clock: Clock,
    config: Config,
}

impl Setup {
    fn new() -> Self {
        let authority = Authority::new();
        let key = "ed25519:a1".try_into().unwrap();
        let config = Config {
            allow_private_addresses: true,
            extra_root_certificates: vec![authority.file()],
            ..Config::default()
        };
        let signer = Arc::new(Signer::new(owned_server_name!("us.example"), key, &[7; 32]));
        Self { authority, signer, clock: Clock::fixed(1_000_000), config }
    }

    fn client(&self) -> Client {
        let outbound = Outbound::new(&self.config.outbound()).unwrap();
        Client::new(outbound, self.signer.clone(), Policy::new(&self.config), self.clock.clone())
    }

    async fn server(
        &self,
        answer: impl Fn(&HttpRequest<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> (FakeServer, OwnedServerName) {
        let server = FakeServer::start(&self.authority, &["localhost", "127.0.0.1"], answer).await;
        let name = ServerName::parse(format!("127.0.0.1:{}", server.port())).unwrap();
        (server, name)
    }

    /// Checks the signature as another server does.
    fn verify(&self, request: &HttpRequest<Bytes>, destination: &ServerName) {
        let header = XMatrix::extract_from_http_headers(request.headers()).unwrap();
        assert_eq!((header.origin.as_str(), header.destination.as_deref()), ("us.example", Some(destination)));
        let keys = [("ed25519:a1".to_owned(), Base64::new(self.signer.public_key().to_vec()))];
        let keys: PublicKeyMap = [("us.example".to_owned(), keys.into())].into();
        header.verify_http_request(request, destination, &keys).unwrap();
    }
}

fn answer(status: u16, body: &serde_json::Value) -> Response<Bytes> {
    Response::builder().status(status).body(body.to_string().into()).unwrap()
}

#[tokio::test]
async fn requests_are_signed_with_everything_that_is_sent() {
    let setup = Setup::new();
    let (server, name) = setup.server(|_| answer(200, &json!({}))).await;
    let client = setup.client();
    // The body is sent as it is; its signature is over the canonical form.
    let body = r#"{ "b": 1, "a": "ü\u00fc", "nested": {"z": null, "y": [-1, true]} }"#;
    client.call(&name, Call::put("/_matrix/federation/v1/send/1%2F?x='a%20b'", body)).await.unwrap();
    client.call(&name, Call::get("/_matrix/federation/v1/version")).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].request.body(), body);
    assert_eq!(asked[0].host, name.as_str());
    for asked in &asked {
        setup.verify(&asked.request, &name);
    }
}

#[tokio::test]
async fn typed_requests_have_typed_answers() {
    let setup = Setup::new();
    let (server, name) = setup
        .server(|request| match request.uri().path() {
            "/_matrix/federation/v1/version" => answer(200, &json!({ "server": { "name": "Fake" } })),
            _ => answer(404, &json!({ "errcode": "M_NOT_FOUND", "error": "no such alias" })),
        })
        .await;
    let client = setup.client();
    let found = client.request(&name, version::Request::new()).await.unwrap();
    assert_eq!(found.server.unwrap().name.as_deref(), Some("Fake"));
    let room = ruma::owned_room_alias_id!("#room:example.org");
    let error = client.request(&name, alias::Request::new(room)).await.unwrap_err();
    assert_eq!((error.status(), error.errcode()), (Some(StatusCode::NOT_FOUND), Some("M_NOT_FOUND")));
    assert!(!error.is_temporary());
    setup.verify(&server.asked()[1].request, &name);
}

#[tokio::test]
async fn there_is_no_federation_with_ourselves_nor_with_denied_servers() {
    let mut setup = Setup::new();
    let (server, name) = setup.server(|_| answer(200, &json!({}))).await;
    setup.config.denied_servers = vec!["127.0.0.*".to_owned()];
    let client = setup.client();
    for name in [&*name, server_name!("us.example")] {
        let error = client.request(name, version::Request::new()).await.unwrap_err();
        assert_eq!(error, CallError::Forbidden);
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_not_asked_for() {
    let setup = Setup::new();
    let (server, name) = setup.server(|_| answer(200, &json!({}))).await;
    for path in ["/a/../b", "/a/%2e%2E/b", "/a\\b", "@other.example/", "/a/."] {
        let error = setup.client().call(&name, Call::get(path)).await.unwrap_err();
        assert!(matches!(error, CallError::BadRequest(_)), "{path}: {error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_failed_is_left_alone_until_it_talks_to_us() {
    let setup = Setup::new();
    let (server, name) = setup.server(|_| answer(503, &json!({}))).await;
    let client = setup.client();
    let mut heard = client.on_heard();
    let ask = async |call: Call| client.call(&name, call).await.unwrap_err();
    let call = Call::get("/");
    assert!(ask(call.clone()).await.is_temporary());
    assert!(matches!(ask(call.clone()).await, CallError::BackingOff { .. }));
    assert_eq!(server.asked().len(), 1);
    assert_eq!(ask(call.clone().urgent()).await.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    client.heard_from(&name);
    assert_eq!(heard.recv().await.unwrap(), name);
    assert_eq!(ask(call).await.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
}

#[tokio::test]
async fn a_server_that_refuses_one_request_is_not_left_alone() {
    let setup = Setup::new();
    let (server, name) = setup.server(|_| answer(403, &json!({ "errcode": "M_FORBIDDEN" }))).await;
    let client = setup.client();
    for _ in 0..3 {
        client.call(&name, Call::get("/")).await.unwrap_err();
    }
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_server_may_say_how_long_to_wait() {
    let setup = Setup::new();
    let body = json!({ "errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1500 });
    let (_server, name) = setup.server(move |_| answer(429, &body)).await;
    let error = setup.client().call(&name, Call::get("/")).await.unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(error.retry_after().unwrap().as_millis(), 1500);
}

#[tokio::test]
async fn answers_have_a_limit() {
    let setup = Setup::new();
    let (_server, name) = setup.server(|_| Response::new(vec![b' '; 2000].into())).await;
    let call = Call::get("/").max_bytes(1000);
    assert_eq!(setup.client().call(&name, call).await.unwrap_err(), CallError::TooLarge);
}

#[tokio::test]
async fn a_well_known_document_is_asked_for_once_and_says_where_the_server_is() {
    let setup = Setup::new();
    let (server, name) = setup.server(|_| answer(200, &json!({}))).await;
    let delegate = format!("localhost:{}", name.port().unwrap());
    let (web, _) = setup
        .server(move |request| match request.uri().path() {
            "/.well-known/matrix/server" => {
                Response::builder().status(302).header("location", "/moved").body(Bytes::new()).unwrap()
            }
            _ => answer(200, &json!({ "m.server": delegate })),
        })
        .await;
    let client = setup.client().with_well_known_port(web.port());
    let call = || client.call(server_name!("localhost"), Call::get("/"));
    let (first, second) = tokio::join!(call(), call());
    first.unwrap();
    second.unwrap();
    assert_eq!(web.asked().len(), 2, "one document behind one redirect");
    setup.clock.advance(48 * 60 * 60 * 1000);
    call().await.unwrap();
    assert_eq!(web.asked().len(), 4);
    for asked in server.asked() {
        assert_eq!(asked.host, format!("localhost:{}", server.port()));
        assert_eq!(asked.tls_name.as_deref(), Some("localhost"));
        setup.verify(&asked.request, server_name!("localhost"));
    }
}
