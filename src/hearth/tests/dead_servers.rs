//! Ten thousand servers in a room, none of which can be reached: `kill -9` forgets nothing of them, and they cost
//! neither files nor rows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use federation::queue::tables::{CURSORS, EDUS, FAILING, IN_FLIGHT, OUTGOING};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use kv::{Db, Read, Table};
use kv_rocksdb::{Options, RocksDb};
use room::{
    RoomNum,
    tables::{ROOM_SERVERS, SERVER_LOG, SERVER_ROOMS},
};
use ruma::OwnedServerName;
use serde_json::{Value, json};

const MANY: u32 = 10_000;
const MESSAGES: usize = 100;
/// Files that a server holds open which has nothing to do.
const FILES: usize = 200;

/// A running server; dropping it kills it.
struct Process {
    child: Child,
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
             passwords = {{ memory_kib = 8, iterations = 1 }}\n\
             federation = {{ allow_private_addresses = true, trusted_key_servers = [] }}\n",
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

    async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_matrix/client/v3{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Resident memory in MiB, and ticks of the processor's clock.
    fn costs(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (kib / 1024, fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
    }

    /// Waits until it does nothing for a moment.
    async fn rest(&self) {
        let mut before = self.costs().1;
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.costs().1;
            if now <= before + 2 {
                return;
            }
            before = now;
        }
        panic!("the server does not come to rest");
    }

    fn kill(mut self) {
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

fn database(directory: &Path) -> Db {
    Db::new(RocksDb::open(directory.join("data/db"), Options::default()).unwrap())
}

async fn count<K, V>(db: &Db, table: &Table<K, V>) -> usize {
    let range = kv::Range::prefix(table.info().id.to_be_bytes().to_vec());
    db.begin().raw_page(&range, 1_000_000, false).await.unwrap().len()
}

/// Has servers come into the only room, as joins of their users would.
async fn enter(db: &Db) {
    let rooms = db.view().scan(&ROOM_SERVERS, ROOM_SERVERS.all()).collect().await.unwrap();
    let room: RoomNum = rooms[0].0.0;
    let mut tx = db.begin();
    let slot = tx.stamp();
    for n in 0..MANY {
        let [_, a, b, c] = n.to_be_bytes();
        let server = OwnedServerName::try_from(format!("127.{}.{b}.{c}:9", a + 1)).unwrap();
        tx.put(&SERVER_LOG, (slot, room, &*server), &true);
        tx.put(&ROOM_SERVERS, (room, &*server), &1);
        tx.put(&SERVER_ROOMS, (&*server, room), &());
    }
    tx.announce(kv::Topic::Room(room.0), slot);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn ten_thousand_dead_servers_cost_nothing_and_a_kill_forgets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path());
    let body = json!({ "username": "a", "password": "a", "auth": { "type": "m.login.dummy" } });
    let token = server.call(Method::POST, "/register", "", body).await["access_token"].as_str().unwrap().to_owned();
    let room =
        server.call(Method::POST, "/createRoom", &token, json!({})).await["room_id"].as_str().unwrap().to_owned();
    server.kill();
    enter(&database(directory.path())).await;

    let server = Process::start(directory.path());
    let say = async |server: &Process, n: usize| {
        let path = format!("/rooms/{room}/send/m.room.message/{n}");
        server.call(Method::PUT, &path, &token, json!({ "msgtype": "m.text", "body": n.to_string() })).await;
    };
    say(&server, 0).await;
    server.rest().await;
    let (before, files) = (server.costs(), server.files());
    for n in 1..=MESSAGES {
        say(&server, n).await;
    }
    let after = server.costs();
    println!(
        "{MANY} dead servers: {files} files, {} MiB, then {} MiB; {MESSAGES} messages took {} ticks",
        before.0,
        after.0,
        after.1 - before.1
    );
    assert!(files < FILES && server.files() < FILES, "{files} files are open");
    server.kill();

    let db = database(directory.path());
    let many = usize::try_from(MANY).unwrap();
    let rows = (count(&db, &FAILING).await, count(&db, &CURSORS).await, count(&db, &IN_FLIGHT).await);
    assert_eq!(rows, (many, many, many));
    let outgoing = count(&db, &OUTGOING).await;
    assert!((MESSAGES..MESSAGES + 20).contains(&outgoing), "{outgoing} rows");
    assert_eq!(count(&db, &EDUS).await, 0);
    let tried: u32 =
        db.begin().scan(&FAILING, FAILING.all()).collect().await.unwrap().iter().map(|(_, row)| row.times).sum();
    drop(db);

    let begun = Instant::now();
    let server = Process::start(directory.path());
    println!("{MANY} dead servers: started after {:?}", begun.elapsed());
    say(&server, MESSAGES + 1).await;
    server.rest().await;
    assert!(server.files() < FILES);
    server.kill();
    let db = database(directory.path());
    let again: u32 =
        db.begin().scan(&FAILING, FAILING.all()).collect().await.unwrap().iter().map(|(_, row)| row.times).sum();
    println!("attempts: {tried} before the kill, {} after it", again - tried);
    assert!(again >= tried, "the pauses were not forgotten");
}
