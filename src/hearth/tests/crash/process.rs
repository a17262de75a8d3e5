//! A server as a process, and requests to it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

/// A running server; dropping it kills it, as its user does.
pub struct Process {
    pub child: Child,
    // Kept open: a server that cannot say where it listens would be another test.
    _stdout: BufReader<ChildStdout>,
    pub base: String,
}

impl Process {
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, |_| {})
    }

    /// As [`Process::start`], with `change` made to the command.
    pub fn start_with(directory: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let config = directory.join("hearth.toml");
        let text = format!(
            "server_name = 'test.example'\ndata_dir = '{}'\nlog = {{ filter = 'error' }}\n\
             listeners = [{{ bind = '127.0.0.1:0', serves = ['client', 'metrics'] }}]\n\
             registration = {{ mode = 'open' }}\nrate_limits = {{ enabled = false }}\n\
             passwords = {{ memory_kib = 8, iterations = 1 }}\nfederation = {{ enabled = false }}\n",
            directory.join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        without_overrides(&mut command);
        change(&mut command);
        let mut child = command
            .args(["serve".as_ref(), "--config".as_ref(), config.as_os_str()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let base = loop {
            let mut line = String::new();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the server ended before it listened");
            if let Some(port) = line.trim_end().strip_prefix("Point a Matrix client to http://localhost:") {
                break format!("http://127.0.0.1:{port}");
            }
        };
        Self { child, _stdout: stdout, base }
    }

    pub fn api(&self) -> Api {
        Api { http: Client::builder(TokioExecutor::new()).build_http(), base: self.base.clone() }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Takes variables out of the environment of `command` that would change its configuration.
pub fn without_overrides(command: &mut Command) {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("HEARTH_")) {
        command.env_remove(name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests to one life of the server.
#[derive(Clone)]
pub struct Api {
    http: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Api {
    /// The answer, which must be 200, or nothing when the server died over it.
    pub async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Option<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(format!("{}/_matrix/client/v3{path}", self.base));
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = self.http.request(request).await.ok()?;
        let status = response.status();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&body));
        Some(serde_json::from_slice(&body).unwrap())
    }

    pub async fn get(&self, path: &str, token: &str) -> Option<Value> {
        self.call(Method::GET, path, token, None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        self.call(Method::POST, path, token, Some(body)).await.expect("a living server")
    }

    pub async fn register(&self, name: &str) -> String {
        let body = json!({ "username": name, "password": name, "auth": { "type": "m.login.dummy" } });
        text(&self.post("/register", "", body).await["access_token"])
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
