//! Events that are sent into rooms, and syncs that follow them.

use std::collections::{BTreeMap, HashSet};

use http::Method;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::process::{Api, Process, text};

const ROUNDS: usize = 50;
const ROOMS: usize = 4;
const SENDERS: usize = 12;
/// Smaller than what comes in between two syncs of a slow machine, so that gaps are filled by `/messages` too.
const LIMIT: &str = "filter=%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A10%7D%7D%7D";
/// How many sync tokens of each round are kept and tried after the kill.
const MARKS: usize = 3;

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
