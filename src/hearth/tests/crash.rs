//! `kill -9` under load, again and again on one data directory: what was acknowledged is there afterwards, once, and
//! who was syncing goes on without a gap.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

use std::{
    collections::{BTreeMap, HashSet},
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
use tokio::{sync::mpsc, task::JoinSet};

const ROUNDS: usize = 50;
const ROOMS: usize = 4;
const SENDERS: usize = 12;
/// Smaller than what comes in between two syncs of a slow machine, so that gaps are filled by `/messages` too.
const LIMIT: &str = "filter=%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A10%7D%7D%7D";
/// How many sync tokens of each round are kept and tried after the kill.
const MARKS: usize = 3;

/// A running server; dropping it kills it, as its user does.
struct Process {
    child: Child,
    // Kept open: a server that cannot say where it listens would be another test.
    _stdout: BufReader<ChildStdout>,
    base: String,
}

impl Process {
    fn start(directory: &Path) -> Self {
        let config = directory.join("hearth.toml");
        let text = format!(
            "server_name = 'test.example'\ndata_dir = '{}'\nlog = {{ filter = 'error' }}\n\
             listeners = [{{ bind = '127.0.0.1:0', serves = ['client'] }}]\n\
             registration = {{ mode = 'open' }}\nrate_limits = {{ enabled = false }}\n\
             passwords = {{ memory_kib = 8, iterations = 1 }}\nfederation = {{ enabled = false }}\n",
            directory.join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hearth"))
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

    fn api(&self) -> Api {
        Api { http: Client::builder(TokioExecutor::new()).build_http(), base: self.base.clone() }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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
struct Api {
    http: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Api {
    /// The answer, which must be 200, or nothing when the server died over it.
    async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Option<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_matrix/client/v3{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = self.http.request(request).await.ok()?;
        let status = response.status();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&body));
        Some(serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, path: &str, token: &str) -> Option<Value> {
        self.call(Method::GET, path, token, None).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        self.call(Method::POST, path, token, Some(body)).await.expect("a living server")
    }

    async fn register(&self, name: &str) -> String {
        let body = json!({ "username": name, "password": name, "auth": { "type": "m.login.dummy" } });
        text(&self.post("/register", "", body).await["access_token"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The messages among `events`.
fn messages(events: &Value) -> impl DoubleEndedIterator<Item = String> {
    let events = events.as_array().into_iter().flatten();
    events.filter(|event| event["type"] == "m.room.message").map(|event| text(&event["event_id"]))
}

/// Somebody who sends one message after the other into one room.
struct Sender {
    token: String,
    room: String,
    sent: usize,
    /// Number and event of each message that was acknowledged.
    acked: Vec<(usize, String)>,
}

impl Sender {
    async fn send(&self, api: &Api, number: usize) -> Option<String> {
        let path = format!("/rooms/{}/send/m.room.message/{number}", self.room);
        let body = json!({ "msgtype": "m.text", "body": format!("message {number}") });
        Some(text(&api.call(Method::PUT, &path, &self.token, Some(body)).await?["event_id"]))
    }

    /// Sends until the server dies.
    async fn load(mut self, api: Api, acked: mpsc::UnboundedSender<()>) -> Self {
        while let Some(event) = self.send(&api, self.sent + 1).await {
            self.sent += 1;
            self.acked.push((self.sent, event));
            let _ = acked.send(());
        }
        self
    }

    /// Repeats the last message that was acknowledged and the one that was not.
    async fn check(&mut self, api: &Api) {
        if let Some((number, event)) = self.acked.last() {
            assert_eq!(self.send(api, *number).await.as_ref(), Some(event), "a repeated transaction id");
        }
        self.sent += 1;
        let event = self.send(api, self.sent).await.expect("a living server");
        self.acked.push((self.sent, event));
    }
}

/// A sync token, with how many messages of each room came before it.
#[derive(Clone)]
struct Mark {
    since: String,
    before: BTreeMap<String, usize>,
}

/// Somebody who is in all rooms and syncs.
struct Watcher {
    token: String,
    since: String,
    /// The messages of each room as they came.
    seen: BTreeMap<String, Vec<String>>,
    marks: Vec<Mark>,
}

impl Watcher {
    fn mark(&self) -> Mark {
        let before = self.seen.iter().map(|(room, events)| (room.clone(), events.len())).collect();
        Mark { since: self.since.clone(), before }
    }

    /// One sync; whether it brought messages, or nothing when the server died over it.
    async fn sync(&mut self, api: &Api, timeout_ms: u64) -> Option<bool> {
        let path = format!("/sync?since={}&timeout={timeout_ms}&{LIMIT}", self.since);
        let answer = api.get(&path, &self.token).await?;
        let mut came = BTreeMap::new();
        for (room, update) in answer["rooms"]["join"].as_object().into_iter().flatten() {
            let timeline = &update["timeline"];
            let mut events = Vec::new();
            if timeline["limited"] == true {
                events = self.gap(api, room, text(&timeline["prev_batch"])).await?;
            }
            events.extend(messages(&timeline["events"]));
            came.insert(room.clone(), events);
        }
        let any = came.values().any(|events| !events.is_empty());
        for (room, events) in came {
            self.seen.entry(room).or_default().extend(events);
        }
        self.since = text(&answer["next_batch"]);
        Some(any)
    }

    /// What lies between the last sync and a limited timeline.
    async fn gap(&self, api: &Api, room: &str, mut from: String) -> Option<Vec<String>> {
        let mut events = Vec::new();
        loop {
            let path = format!("/rooms/{room}/messages?dir=b&limit=20&from={from}&to={}", self.since);
            let page = api.get(&path, &self.token).await?;
            events.extend(messages(&page["chunk"]));
            match page["end"].as_str() {
                Some(end) => from = end.to_owned(),
                None => break,
            }
        }
        events.reverse();
        Some(events)
    }

    /// Syncs until the server dies.
    async fn load(mut self, api: Api) -> Self {
        self.marks = vec![self.mark()];
        while self.sync(&api, 2000).await.is_some() {
            let mark = self.mark();
            self.marks.push(mark);
        }
        self
    }

    async fn catch_up(&mut self, api: &Api) {
        while self.sync(api, 0).await.expect("a living server") {}
    }

    /// What is new since `mark`, for somebody who comes with its token.
    async fn from(&self, api: &Api, mark: &Mark) -> BTreeMap<String, Vec<String>> {
        let mut other =
            Self { token: self.token.clone(), since: mark.since.clone(), seen: BTreeMap::new(), marks: Vec::new() };
        other.catch_up(api).await;
        other.seen.retain(|_, events| !events.is_empty());
        other.seen
    }

    /// What is known to be new since `mark`.
    fn known_since(&self, mark: &Mark) -> BTreeMap<String, Vec<String>> {
        let news = self.seen.iter().map(|(room, events)| {
            let before = mark.before.get(room).copied().unwrap_or_default();
            (room.clone(), events[before..].to_vec())
        });
        news.filter(|(_, events)| !events.is_empty()).collect()
    }
}

/// All clients, as they are between two lives of the server.
struct Clients {
    senders: Vec<Sender>,
    watcher: Watcher,
    /// A token of each earlier round.
    old: Vec<Mark>,
}

impl Clients {
    async fn register(api: &Api) -> Self {
        let token = api.register("watcher").await;
        let mut rooms = Vec::new();
        for _ in 0..ROOMS {
            let room = text(&api.post("/createRoom", &token, json!({ "preset": "public_chat" })).await["room_id"]);
            rooms.push(room);
        }
        let mut senders = Vec::new();
        for n in 0..SENDERS {
            let (token, room) = (api.register(&format!("sender{n}")).await, rooms[n % ROOMS].clone());
            api.post(&format!("/rooms/{room}/join"), &token, json!({})).await;
            senders.push(Sender { token, room, sent: 0, acked: Vec::new() });
        }
        let since = text(&api.get("/sync", &token).await.unwrap()["next_batch"]);
        let watcher = Watcher { token, since, seen: BTreeMap::new(), marks: Vec::new() };
        Self { senders, watcher, old: Vec::new() }
    }

    /// Everybody at once; the server is killed after `acks` acknowledgements.
    async fn load(self, server: &mut Process, acks: usize) -> Self {
        let (tell, mut acked) = mpsc::unbounded_channel();
        let mut senders = JoinSet::new();
        for sender in self.senders {
            senders.spawn(sender.load(server.api(), tell.clone()));
        }
        let watcher = tokio::spawn(self.watcher.load(server.api()));
        for _ in 0..acks {
            acked.recv().await.expect("senders that send");
        }
        server.kill();
        Self { senders: senders.join_all().await, watcher: watcher.await.unwrap(), old: self.old }
    }

    async fn check(&mut self, api: &Api) {
        for sender in &mut self.senders {
            sender.check(api).await;
        }
        let watcher = &mut self.watcher;
        watcher.catch_up(api).await;
        for (room, events) in &watcher.seen {
            let distinct: HashSet<_> = events.iter().collect();
            assert_eq!(distinct.len(), events.len(), "an event came twice by sync in {room}");
            for (number, event) in self.senders.iter().filter(|sender| sender.room == *room).flat_map(|s| &s.acked) {
                assert!(distinct.contains(event), "message {number}, {event}, was acknowledged and is gone");
            }
        }
        let marks = watcher.marks.split_off(watcher.marks.len().saturating_sub(MARKS));
        let earlier = self.old.get(self.old.len() / 2).into_iter();
        for mark in marks.iter().chain(earlier) {
            assert_eq!(watcher.from(api, mark).await, watcher.known_since(mark), "since {}", mark.since);
        }
        self.old.extend(marks.into_iter().next());
    }

    /// The whole history of each room is what came by sync.
    async fn check_history(&self, api: &Api) {
        for (room, seen) in &self.watcher.seen {
            let mut history = Vec::new();
            let mut from = String::new();
            loop {
                let path = format!("/rooms/{room}/messages?dir=f&limit=500{from}");
                let page = api.get(&path, &self.watcher.token).await.unwrap();
                history.extend(messages(&page["chunk"]));
                match page["end"].as_str() {
                    Some(end) => from = format!("&from={end}"),
                    None => break,
                }
            }
            assert_eq!(&history, seen, "history and sync of {room}");
        }
        let acked: usize = self.senders.iter().map(|sender| sender.acked.len()).sum();
        assert_eq!(
            self.watcher.seen.values().map(Vec::len).sum::<usize>(),
            acked,
            "every message is known by its sender"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_under_load_lose_and_repeat_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Process::start(directory.path());
    let mut clients = Clients::register(&server.api()).await;
    for round in 0..ROUNDS {
        clients = clients.load(&mut server, 5 + round * 29 % 150).await;
        server = Process::start(directory.path());
        clients.check(&server.api()).await;
    }
    clients.check_history(&server.api()).await;
}
