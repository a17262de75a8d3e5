//! Power loss under load: at some fsyncs the database is copied before they take place, and its log is cut to what
//! earlier ones covered. A server on the copy has every event that was acknowledged, once, and whoever has a token
//! from before goes on without a gap.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use hearth::{Config, Server, server::Options};
use http::Method;
use kv_rocksdb::{Hooks, RocksDb};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Client, Http};

const ROOMS: usize = 2;
const SENDERS: usize = 4;
const MESSAGES: usize = 30;
/// A copy is made at every so many-th fsync.
const EVERY: usize = 5;

type Lengths = HashMap<PathBuf, u64>;

/// A token of the watcher, and how many messages of each room came before it.
#[derive(Clone)]
struct Mark {
    since: String,
    before: HashMap<String, usize>,
}

/// What the disk had, and what clients were told.
#[derive(Default, Clone)]
struct World {
    fsyncs: usize,
    /// Lengths of the logs when the fsync under way began, and what a completed one covered.
    begun: Lengths,
    synced: Lengths,
    /// Acknowledged events by room.
    acknowledged: Vec<(String, String)>,
    marks: Vec<Mark>,
}

struct Copy {
    database: PathBuf,
    world: World,
}

fn logs(database: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(database).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "log")).collect()
}

fn lengths(database: &Path) -> Lengths {
    let length = |file: PathBuf| (file.file_name().unwrap().into(), std::fs::metadata(&file).unwrap().len());
    logs(database).into_iter().map(length).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "LOCK" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Hooks that copy `database` now and then while a group of commits waits for its fsync.
fn hooks(world: &Arc<Mutex<World>>, copies: &Arc<Mutex<Vec<Copy>>>, database: &Path, to: &Path) -> Hooks {
    let (before, after, copies) = (Arc::clone(world), Arc::clone(world), Arc::clone(copies));
    let (database, to) = (database.to_owned(), to.to_owned());
    Hooks {
        before_sync: Some(Arc::new(move || {
            let mut world = before.lock().unwrap();
            world.begun = lengths(&database);
            world.fsyncs += 1;
            if world.fsyncs.is_multiple_of(EVERY) && !world.acknowledged.is_empty() {
                let mut copies = copies.lock().unwrap();
                let target = to.join(copies.len().to_string());
                copy(&database, &target);
                copies.push(Copy { database: target, world: world.clone() });
            }
            Ok(())
        })),
        after_sync: Some(Arc::new(move || {
            let mut world = after.lock().unwrap();
            world.synced = world.begun.clone();
        })),
        ..Hooks::default()
    }
}

/// Leaves of the logs what was fsynced, all of the rest, or half of it with garbage behind.
fn cut(copy: &Copy, how: usize) -> usize {
    let mut lost = 0;
    for file in logs(&copy.database) {
        let name = PathBuf::from(file.file_name().unwrap());
        let mut bytes = std::fs::read(&file).unwrap();
        let kept = usize::try_from(copy.world.synced.get(&name).copied().unwrap_or(0)).unwrap();
        let middle = kept + (bytes.len() - kept) / 2;
        lost += bytes.len() - kept;
        match how % 3 {
            0 => bytes.truncate(kept),
            1 => bytes.truncate(middle),
            _ => bytes[middle..].iter_mut().for_each(|byte| *byte ^= 0x5A),
        }
        std::fs::write(file, bytes).unwrap();
    }
    lost
}

fn config(data: &Path) -> Config {
    let text = format!(
        "server_name = 'test.example'\ndata_dir = '{}'\nlisteners = [{{ bind = '127.0.0.1:0', serves = ['client'] }}]\n\
         registration = {{ mode = 'open' }}\nrate_limits = {{ enabled = false }}\nsearch = {{ enabled = false }}\n\
         passwords = {{ memory_kib = 8, iterations = 1 }}\nfederation = {{ enabled = false }}\n",
        data.display()
    );
    Config::from_table(text.parse().unwrap(), "test", std::iter::empty()).unwrap()
}

async fn start(data: &Path, database: &Path, hooks: Hooks) -> (Server, Http) {
    let options = kv_rocksdb::Options { hooks, ..kv_rocksdb::Options::default() };
    let engine = RocksDb::open(database, options).unwrap();
    let options = Options { engine: Some(engine), ..Options::default() };
    let server = Box::pin(Server::start(config(data), options)).await.unwrap();
    let http = Http::new(server.addresses()[0]);
    (server, http)
}

async fn register(http: &Http, name: &str) -> Client {
    let body = json!({ "username": name, "password": name, "auth": { "type": "m.login.dummy" } });
    let answer = http.send(Method::POST, "/_matrix/client/v3/register", None, body.to_string()).await.ok();
    Client::new(http.clone(), &answer)
}

fn on(http: &Http, client: &Client) -> Client {
    let session = json!({ "user_id": client.user_id, "device_id": client.device_id, "access_token": client.token });
    Client::new(http.clone(), &session)
}

/// The messages of a sync by room.
fn messages(answer: &Value) -> Vec<(String, Vec<String>)> {
    let rooms = answer["rooms"]["join"].as_object().into_iter().flatten();
    let of = |(room, part): (&String, &Value)| {
        assert_ne!(part["timeline"]["limited"], true, "the limit is high enough");
        (room.clone(), events(&part["timeline"]["events"]))
    };
    rooms.map(of).collect()
}

fn events(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten().filter(|event| event["type"] == "m.room.message");
    list.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

async fn sync(client: &Client, since: &str, timeout_ms: u64) -> Value {
    const FILTER: &str = "filter=%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A500%7D%7D%7D";
    client.get(&format!("/v3/sync?since={since}&timeout={timeout_ms}&{FILTER}")).await
}

/// Syncs until all messages came, and remembers every token.
async fn watch(client: Client, mut since: String, world: Arc<Mutex<World>>) {
    let mut before = HashMap::<String, usize>::new();
    while before.values().sum::<usize>() < SENDERS * MESSAGES {
        let answer = sync(&client, &since, 5000).await;
        for (room, events) in messages(&answer) {
            *before.entry(room).or_default() += events.len();
        }
        since = answer["next_batch"].as_str().unwrap().to_owned();
        world.lock().unwrap().marks.push(Mark { since: since.clone(), before: before.clone() });
    }
}

async fn send(client: Client, room: ruma::OwnedRoomId, world: Arc<Mutex<World>>) {
    for n in 0..MESSAGES {
        let event = client.send_text(&room, &n.to_string(), &format!("message {n}")).await;
        world.lock().unwrap().acknowledged.push((room.to_string(), event.to_string()));
    }
}

/// What the watcher finds on a server that came back.
async fn check(watcher: &Client, world: &World, rooms: &[ruma::OwnedRoomId]) {
    let mut history = HashMap::new();
    for room in rooms {
        let page = watcher.get(&format!("/v3/rooms/{room}/messages?dir=f&limit=1000")).await;
        history.insert(room.to_string(), events(&page["chunk"]));
    }
    for (room, event) in &world.acknowledged {
        assert_eq!(history[room].iter().filter(|other| *other == event).count(), 1, "{event} was acknowledged");
    }
    for mark in &world.marks {
        let news: HashMap<_, _> = messages(&sync(watcher, &mark.since, 0).await).into_iter().collect();
        for (room, all) in &history {
            let before = mark.before.get(room).copied().unwrap_or_default();
            let rest = news.get(room).map_or(&[][..], Vec::as_slice);
            assert_eq!(rest, &all[before..], "{room} since {}", mark.since);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_survives_power_loss_and_syncs_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (data, database) = (directory.path().join("data"), directory.path().join("database"));
    let (world, copies) = (Arc::<Mutex<World>>::default(), Arc::<Mutex<Vec<Copy>>>::default());
    let hooks = hooks(&world, &copies, &database, &directory.path().join("copies"));
    let (server, http) = start(&data, &database, hooks).await;
    let watcher = register(&http, "watcher").await;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(watcher.create_room(json!({ "preset": "public_chat" })).await);
    }
    let mut senders = Vec::new();
    for n in 0..SENDERS {
        let sender = register(&http, &format!("sender{n}")).await;
        sender.join(&rooms[n % ROOMS]).await;
        senders.push(sender);
    }
    let since = watcher.sync(None).await["next_batch"].as_str().unwrap().to_owned();
    let watching = tokio::spawn(watch(watcher.clone(), since, Arc::clone(&world)));
    let sending: Vec<_> = senders
        .into_iter()
        .enumerate()
        .map(|(n, sender)| tokio::spawn(send(sender, rooms[n % ROOMS].clone(), Arc::clone(&world))))
        .collect();
    for one in sending {
        one.await.unwrap();
    }
    watching.await.unwrap();
    Box::pin(server.stop()).await;

    let copies = std::mem::take(&mut *copies.lock().unwrap());
    assert!(copies.len() >= 3, "{} copies", copies.len());
    let mut lost = 0;
    for (n, copy) in copies.iter().enumerate() {
        lost += cut(copy, n);
        let again: TempDir = tempfile::tempdir().unwrap();
        // Files that are replaced in one step, and not while the load was on.
        for file in ["signing.key", "restore.guard"] {
            std::fs::copy(data.join(file), again.path().join(file)).unwrap();
        }
        let (server, http) = start(again.path(), &copy.database, Hooks::default()).await;
        check(&on(&http, &watcher), &copy.world, &rooms).await;
        Box::pin(server.stop()).await;
    }
    assert!(lost > 0, "nothing was cut, so nothing was tested");
}
