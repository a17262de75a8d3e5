use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a homeserver asked an application service.
#[derive(Debug, Clone)]
pub struct AppserviceRequest {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The bearer token.
    pub token: Option<String>,
    /// The body; null if there is none.
    pub body: Value,
}

type Answers = Arc<Mutex<Box<dyn Fn(&AppserviceRequest) -> (StatusCode, Value) + Send>>>;

/// An application service on a free port of 127.0.0.1 that notes what it is asked.
#[derive(Debug)]
pub struct FakeAppservice {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<AppserviceRequest>,
    answers: Switch,
    task: AbortHandle,
}

/// Changes what a [`FakeAppservice`] answers.
#[derive(Clone)]
struct Switch(Answers);

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Switch")
    }
}

impl FakeAppservice {
    /// Starts it; it answers everything with `{}`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (told, requests) = mpsc::unbounded_channel();
        let answers: Answers = Arc::new(Mutex::new(Box::new(|_| (StatusCode::OK, json!({})))));
        let switch = Switch(answers.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, answers) = (told.clone(), answers.clone());
                let service = service_fn(move |request| serve(request, told.clone(), answers.clone()));
                connections.spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, requests, answers: switch, task: task.abort_handle() }
    }

    /// A registration of the user `@bridge` and of the exclusive names `@_ghost_…` and `#_portal_…`, whose tokens are
    /// `as-token` and `hs-token`; `more` lines are added.
    pub fn registration(&self, more: &str) -> String {
        format!(
            "id: bridge\nurl: http://{}\nas_token: as-token\nhs_token: hs-token\nsender_localpart: bridge\n\
             rate_limited: false\nnamespaces:\n  users: [{{ regex: '@_ghost_.*', exclusive: true }}]\n  \
             aliases: [{{ regex: '#_portal_.*', exclusive: true }}]\n{more}",
            self.address
        )
    }

    /// Answers as `answer` says from now on.
    pub fn answer(&self, answer: impl Fn(&AppserviceRequest) -> (StatusCode, Value) + Send + 'static) {
        *self.answers.0.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// The next request.
    pub async fn next(&mut self) -> AppserviceRequest {
        timeout(PATIENCE, self.requests.recv()).await.expect("a request in time").expect("the fake runs")
    }

    /// The next transaction, whatever is asked before.
    pub async fn transaction(&mut self) -> AppserviceRequest {
        loop {
            let request = self.next().await;
            if request.path.starts_with("/_matrix/app/v1/transactions/") {
                return request;
            }
        }
    }

    /// Events of the next transactions up to the first for which `wanted` holds.
    pub async fn events_until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let transaction = self.transaction().await;
            for event in transaction.body.get("events").and_then(Value::as_array).cloned().unwrap_or_default() {
                let found = wanted(&event);
                all.push(event);
                if found {
                    return all;
                }
            }
        }
    }

    /// What was asked and not yet taken by the other functions.
    pub fn rest(&mut self) -> Vec<AppserviceRequest> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

impl Drop for FakeAppservice {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    request: Request<Incoming>,
    told: mpsc::UnboundedSender<AppserviceRequest>,
    answers: Answers,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let request = AppserviceRequest {
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        token: token.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        method: parts.method,
    };
    let (status, answer) = answers.lock().unwrap_or_else(PoisonError::into_inner)(&request);
    let _ = told.send(request);
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    *response.status_mut() = status;
    Ok(response)
}
