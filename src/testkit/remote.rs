use event::Signer;
use federation::{OldKey, OwnKeys, Signable};
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use ruma::{OwnedServerName, OwnedServerSigningKeyId};
use serde_json::Value;

use crate::{Answer, Http, TestServer};

/// Another server, as far as a server under test sees of it: its key, and requests that it has signed. It cannot be
/// reached itself.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its keys.
    pub keys: OwnKeys,
    destination: OwnedServerName,
    http: Http,
}

impl TestServer {
    /// Another server whose key this one has fetched already.
    pub async fn remote(&self, name: &str) -> Remote {
        let remote = self.stranger(name, &base::random::bytes());
        let keys = &self.server().wired().state.server_keys;
        let document = serde_json::to_vec(&remote.keys.document(keys.now())).expect("JSON");
        keys.learn(&document).await.expect("a good document");
        remote
    }

    /// Another server whose key, made from `seed`, this one does not know.
    pub fn stranger(&self, name: &str, seed: &[u8; 32]) -> Remote {
        let key_id = OwnedServerSigningKeyId::try_from("ed25519:a1").expect("a key id");
        let signer = Signer::new(name.try_into().expect("a server name"), key_id, seed);
        let keys = OwnKeys::new(signer.into(), Vec::<OldKey>::new());
        Remote { keys, destination: self.config().server_name.clone(), http: self.http().clone() }
    }
}

impl Remote {
    /// `GET`, which must succeed. Paths start with `/_matrix`.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.ok()
    }

    /// `PUT`, which must succeed.
    pub async fn put(&self, path: &str, body: Value) -> Value {
        self.call(Method::PUT, path, Some(body)).await.ok()
    }

    /// `POST`, which must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await.ok()
    }

    /// Any signed request, whatever comes of it.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let authorization = self.authorization(&method, path, &body);
        self.send(method, path, &authorization, body).await
    }

    /// A request with any `Authorization` header.
    pub async fn send(&self, method: Method, path: &str, authorization: &str, body: String) -> Answer {
        let request = Request::builder().method(method).uri(self.http.uri(path));
        let value = HeaderValue::from_str(authorization).expect("a header");
        let request = request.header(header::AUTHORIZATION, value).body(Full::new(body.into()));
        self.http.send_request(request.expect("a well-formed request")).await
    }

    /// The `Authorization` header of a request.
    pub fn authorization(&self, method: &Method, path: &str, body: &str) -> String {
        let signature = self.signature(method, path, body);
        let (origin, key, destination) = (self.keys.server_name(), self.keys.signer().key_id(), &self.destination);
        format!(r#"X-Matrix origin="{origin}",destination="{destination}",key="{key}",sig="{signature}""#)
    }

    /// The signature of a request whose body is canonical JSON, or nothing.
    pub fn signature(&self, method: &Method, path: &str, body: &str) -> String {
        let (origin, destination) = (self.keys.server_name(), &*self.destination);
        let request = Signable { method: method.as_str(), uri: path, origin, destination, body: body.as_bytes() };
        self.keys.signer().sign(&request.bytes(body.as_bytes()))
    }
}
