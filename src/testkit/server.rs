use std::sync::Arc;

use base::Clock;
use hearth::{Config, Server, server::Options};
use kv::{Engine, memory::Memory};
use ruma::OwnedRoomId;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Client, Http};

/// A server in this process, on a free port, with a directory that goes with it.
#[derive(Debug)]
pub struct TestServer {
    server: Server,
    config: Config,
    engine: Option<Arc<dyn Engine>>,
    clock: Clock,
    http: Http,
    dir: TempDir,
}

/// How a [`TestServer`] is started.
#[derive(Debug)]
pub struct Builder {
    config: Config,
    engine: Option<Arc<dyn Engine>>,
    clock: Clock,
    dir: TempDir,
}

impl Builder {
    /// Changes the configuration.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Changes the configuration, which may name files in the server's directory.
    #[must_use]
    pub(crate) fn config_in(mut self, change: impl FnOnce(&mut Config, &std::path::Path)) -> Self {
        change(&mut self.config, self.dir.path());
        self
    }

    /// Registers an application service by the text of its registration file.
    #[must_use]
    pub fn appservice(self, registration: &str) -> Self {
        self.config_in(|config, dir| {
            let file = dir.join(format!("appservice-{}.yaml", config.appservices.registrations.len()));
            std::fs::write(&file, registration).expect("a file");
            config.appservices.registrations.push(file);
        })
    }

    /// Keeps everything but media in memory.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.engine = Some(Memory::new());
        self
    }

    /// Takes another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Starts it.
    pub async fn start(self) -> TestServer {
        let Self { config, engine, clock, dir } = self;
        let options = Options { metrics: None, clock: clock.clone(), engine: engine.clone() };
        let server = Box::pin(Server::start(config.clone(), options)).await.expect("the server starts");
        let http = Http::new(*server.addresses().first().expect("a listener"));
        TestServer { server, config, engine, clock, http, dir }
    }
}

impl TestServer {
    /// What can be changed before the start: open registration, no rate limits, cheap passwords, no fsync.
    pub fn builder() -> Builder {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let text = format!(
            "server_name = 'test.example'\ndata_dir = '{}'\ndurability = 'os'\n\
             listeners = [{{ bind = '127.0.0.1:0', serves = ['client', 'federation', 'metrics'] }}]\n\
             registration = {{ mode = 'open' }}\nrate_limits = {{ enabled = false }}\n\
             passwords = {{ memory_kib = 8, iterations = 1 }}\nmemory = {{ budget_mb = 32 }}\n",
            dir.path().join("data").display()
        );
        let table = text.parse().expect("TOML");
        let config = Config::from_table(table, "testkit", std::iter::empty()).expect("a configuration");
        Builder { config, engine: None, clock: Clock::system(), dir }
    }

    /// A server on RocksDB.
    pub async fn new() -> Self {
        Self::builder().start().await
    }

    /// Stops the server and starts it again on the same data.
    #[must_use]
    pub async fn restart(self) -> Self {
        Box::pin(self.pause().await.start()).await
    }

    /// Stops the server; the answer starts it again on the same data.
    pub async fn pause(self) -> Builder {
        let Self { server, config, engine, clock, dir, .. } = self;
        Box::pin(server.stop()).await;
        Builder { config, engine, clock, dir }
    }

    /// Stops the server and removes its data.
    pub async fn stop(self) {
        Box::pin(self.server.stop()).await;
    }

    /// The server itself.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// How it was started.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Requests without an account.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Registers `name`, whose password is its name, and logs in.
    pub async fn user(&self, name: &str) -> Client {
        let body = json!({ "username": name, "password": name, "auth": { "type": "m.login.dummy" } });
        let answer = self.post("/_matrix/client/v3/register", &body).await;
        Client::new(self.http.clone(), &answer)
    }

    /// Logs `name` in on another device.
    pub async fn login(&self, name: &str) -> Client {
        let user = json!({ "type": "m.id.user", "user": name });
        let body = json!({ "type": "m.login.password", "identifier": user, "password": name });
        let answer = self.post("/_matrix/client/v3/login", &body).await;
        Client::new(self.http.clone(), &answer)
    }

    /// Registers `name` and lets it create a room.
    pub async fn user_in_room(&self, name: &str) -> (Client, OwnedRoomId) {
        let client = self.user(name).await;
        let room = client.create_room(json!({ "preset": "public_chat" })).await;
        (client, room)
    }

    /// The application service whose `as_token` is this, acting as its own user.
    pub fn acting(&self, user: &str, as_token: &str) -> Client {
        let user = format!("@{user}:{}", self.config.server_name);
        Client::new(self.http.clone(), &json!({ "user_id": user, "device_id": "", "access_token": as_token }))
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.http.send(::http::Method::POST, path, None, body.to_string()).await.ok()
    }
}
