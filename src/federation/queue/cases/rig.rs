use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use base::Clock;
use bytes::Bytes;
use event::Draft;
use futures::future::BoxFuture;
use kv::{Db, Engine, Read, Tx, memory::Memory};
use parking_lot::Mutex;
pub use room::rig::user;
use room::{Appended, CreateRoom, Outgoing, Preset, Projection, RoomNum, Rooms, Tip, rig, tables::SERVER_LOG};
use ruma::{OwnedRoomId, OwnedServerName, ServerName};
use serde_json::{Value, json};
use tokio::{sync::broadcast, task::JoinHandle};

use crate::queue::{Post, Queue, Refused};

/// What the other servers got, and how they behave.
#[derive(Debug, Default)]
pub struct Remote {
    pub got: Vec<(OwnedServerName, String, Value)>,
    pub tried: usize,
    /// Do not answer: fail at once.
    pub down: HashSet<OwnedServerName>,
    /// Take a transaction and never answer.
    pub silent: HashSet<OwnedServerName>,
    /// Refuse transactions that contain this text.
    pub poison: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Fake(pub Arc<Mutex<Remote>>);

impl Post for Fake {
    fn post<'a>(&'a self, to: &'a ServerName, id: &'a str, body: Bytes) -> BoxFuture<'a, Result<Bytes, Refused>> {
        Box::pin(async move {
            let silent = {
                let mut remote = self.0.lock();
                remote.tried += 1;
                if remote.down.contains(to) {
                    return Err(Refused::Later { kind: "down", reason: "down".into(), wait: None });
                }
                let text = String::from_utf8(body.to_vec()).unwrap();
                if remote.poison.as_ref().is_some_and(|poison| text.contains(poison)) {
                    return Err(Refused::Content("400".into()));
                }
                let body: Value = serde_json::from_str(&text).unwrap();
                assert!(body["pdus"].as_array().unwrap().len() <= 50);
                assert!(body["edus"].as_array().unwrap().len() <= 100);
                remote.got.push((to.to_owned(), id.to_owned(), body));
                remote.silent.contains(to)
            };
            if silent {
                std::future::pending::<()>().await;
            }
            Ok(Bytes::from_static(b"{\"pdus\":{}}"))
        })
    }
}

/// Lets servers come and go: `test.enter` and `test.leave` name one.
struct Servers;

impl Projection for Servers {
    fn apply<'a>(
        &'a self,
        _: &'a Rooms,
        tx: &'a mut Tx,
        _: &'a Tip,
        event: &'a Appended<'a>,
    ) -> BoxFuture<'a, kv::Result<()>> {
        Box::pin(async move {
            let kind = event.pdu.kind.to_string();
            let content: Value = serde_json::from_str(event.pdu.content.get()).unwrap();
            if !kind.starts_with("test.") {
                return Ok(());
            }
            let many = content["many"].as_u64().unwrap_or(0);
            let servers = content["server"].as_str().map(str::to_owned).into_iter();
            for name in servers.chain((0..many).map(|n| format!("dead{n}.test"))) {
                tx.put(&SERVER_LOG, (event.slot, event.room, server(&name)), &(kind == "test.enter"));
            }
            Ok(())
        })
    }
}

pub struct Rig {
    pub db: Db,
    pub clock: Clock,
    pub rooms: Rooms,
    pub remote: Fake,
    pub queue: Queue,
    pub heard: broadcast::Sender<OwnedServerName>,
    running: Option<JoinHandle<()>>,
}

pub fn server(name: &str) -> OwnedServerName {
    name.try_into().unwrap()
}

impl Rig {
    pub fn new() -> Self {
        Self::on(Memory::new())
    }

    pub fn on(engine: Arc<dyn Engine>) -> Self {
        let (clock, db) = (rig::clock(), Db::new(engine));
        let rooms = rig::rooms(&db, &clock, vec![Box::new(Servers)]);
        let remote = Fake::default();
        let queue = queue(&db, &clock, &remote);
        Self { db, clock, rooms, remote, queue, heard: broadcast::channel(16).0, running: None }
    }

    /// Runs the queue.
    pub fn start(&mut self) {
        self.running = Some(tokio::spawn(self.queue.clone().run(self.heard.subscribe())));
    }

    /// Ends it where it stands, and makes a new one of what is stored.
    pub async fn crash(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
        self.queue = queue(&self.db, &self.clock, &self.remote);
    }

    /// Lets everything happen that can happen now.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }

    /// Lets time pass.
    pub async fn pass(&self, millis: u64) {
        self.clock.advance(millis);
        self.settle().await;
    }

    /// A room of alice's with these servers in it.
    pub async fn room(&self, servers: &[&str]) -> OwnedRoomId {
        let new = CreateRoom::new(user("alice"), Preset::PublicChat);
        let room = self.rooms.create(&new).await.unwrap();
        for server in servers {
            self.enter(&room, server).await;
        }
        room
    }

    pub async fn num(&self, room: &OwnedRoomId) -> RoomNum {
        self.rooms.num(&self.db.view(), room).await.unwrap()
    }

    pub async fn enter(&self, room: &OwnedRoomId, server: &str) {
        self.send(room, "test.enter", &json!({ "server": server })).await;
    }

    /// So many servers that are called `dead0.test` and so on.
    pub async fn enter_many(&self, room: &OwnedRoomId, many: usize) {
        self.send(room, "test.enter", &json!({ "many": many })).await;
        self.remote.0.lock().down.extend((0..many).map(|n| server(&format!("dead{n}.test"))));
    }

    pub async fn leave(&self, room: &OwnedRoomId, server: &str) {
        self.send(room, "test.leave", &json!({ "server": server })).await;
    }

    pub async fn say(&self, room: &OwnedRoomId, body: &str) {
        self.send(room, "m.room.message", &json!({ "msgtype": "m.text", "body": body })).await;
    }

    async fn send(&self, room: &OwnedRoomId, kind: &str, content: &Value) {
        let draft = Draft::message(kind.into(), rig::raw(content));
        self.rooms.send(room, &Outgoing::new(&user("alice"), draft)).await.unwrap();
    }

    /// What a server was told, in order: bodies of messages, and types of other events.
    pub fn heard_by(&self, name: &str) -> Vec<String> {
        let remote = self.remote.0.lock();
        let mut all = Vec::new();
        for (_, _, body) in remote.got.iter().filter(|(to, _, _)| to == name) {
            for pdu in body["pdus"].as_array().unwrap() {
                let body = pdu["content"]["body"].as_str();
                all.push(body.or(pdu["type"].as_str()).unwrap().to_owned());
            }
        }
        all
    }

    /// Other messages that a server got, one list for each transaction.
    pub fn edus_of(&self, name: &str) -> Vec<Vec<Value>> {
        let remote = self.remote.0.lock();
        let of = |body: &Value| body["edus"].as_array().unwrap().clone();
        remote.got.iter().filter(|(to, _, _)| to == name).map(|(_, _, body)| of(body)).collect()
    }

    /// Rows of the queue's tables, by table.
    pub async fn rows(&self) -> BTreeMap<&'static str, usize> {
        let tx = self.db.begin();
        let mut rows = BTreeMap::new();
        for table in crate::queue::tables::ALL {
            let range = kv::Range::prefix(table.id.to_be_bytes().to_vec());
            rows.insert(table.name, tx.raw_page(&range, 100_000, false).await.unwrap().len());
        }
        rows
    }
}

fn queue(db: &Db, clock: &Clock, remote: &Fake) -> Queue {
    Queue::new(db.clone(), clock.clone(), server("hearth.test"), Arc::new(remote.clone()))
}
