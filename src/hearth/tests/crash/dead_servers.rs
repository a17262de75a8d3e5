//! Two thousand servers that cannot be reached: `kill -9` forgets nothing of them, they cost neither files nor rows, and
//! they are not tried all at once.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use federation::queue::tables::{CURSORS, EDUS, FAILING, IN_FLIGHT, InFlight, OUTGOING};
use http::Method;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use kv::{Db, Read, Table};
use kv_rocksdb::{Options, RocksDb};
use room::{
    RoomNum,
    tables::{ROOM_SERVERS, SERVER_LOG, SERVER_ROOMS},
};
use ruma::OwnedServerName;
use serde_json::json;

use crate::process::{Api, Process, text};

const MANY: u32 = 2_000;
const MESSAGES: usize = 20;
/// Files that a server has open besides those for servers which it tries.
const FILES: usize = 300;

/// What is kept of them.
struct Kept {
    in_flight: BTreeMap<OwnedServerName, InFlight>,
    outgoing: usize,
    attempts: u32,
}

impl Kept {
    async fn read(directory: &Path) -> Self {
        let db = database(directory);
        let tx = db.begin();
        let in_flight: BTreeMap<_, _> =
            tx.scan(&IN_FLIGHT, IN_FLIGHT.all()).collect().await.unwrap().into_iter().collect();
        let failing = tx.scan(&FAILING, FAILING.all()).collect().await.unwrap();
        let many = usize::try_from(MANY).unwrap();
        assert_eq!((failing.len(), in_flight.len(), count(&db, &CURSORS).await), (many, many, many));
        assert!(count(&db, &EDUS).await <= many, "that alice has devices, at most");
        let attempts = failing.iter().map(|(_, row)| row.times).sum();
        Self { in_flight, outgoing: count(&db, &OUTGOING).await, attempts }
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

/// Starts a server that talks to others, under private addresses too.
fn start(directory: &Path) -> Process {
    Process::start_with(directory, |command| {
        let settings = [("ENABLED", "true"), ("ALLOW_PRIVATE_ADDRESSES", "true")];
        command.envs(settings.map(|(name, value)| (format!("HEARTH_FEDERATION__{name}"), value)));
    })
}

/// How many files it has open.
fn files(server: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count()
}

/// Its figures.
async fn metrics(server: &Process) -> String {
    let http: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = http.get(format!("{}/metrics", server.base).parse().unwrap()).await.unwrap();
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Waits until all of them are known to fail.
async fn all_fail(server: &Process) {
    let wanted = format!("hearth_federation_destinations{{state=\"failing\"}} {MANY}");
    let waiting = async {
        while !metrics(server).await.lines().any(|line| line == wanted) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), waiting).await.expect("each is tried once");
}

#[tokio::test]
async fn dead_servers_cost_nothing_and_a_kill_forgets_nothing_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut server = start(path);
    let api = server.api();
    let token = api.register("alice").await;
    let room = text(&api.post("/createRoom", &token, json!({})).await["room_id"]);
    server.kill();
    enter(&database(path)).await;

    let say = async |api: &Api, n: usize| {
        let path = format!("/rooms/{room}/send/m.room.message/{n}");
        let body = json!({ "msgtype": "m.text", "body": n.to_string() });
        api.call(Method::PUT, &path, &token, Some(body)).await.expect("a living server");
    };
    let mut server = start(path);
    let api = server.api();
    say(&api, 0).await;
    all_fail(&server).await;
    let told = metrics(&server).await;
    for figure in [
        "destinations{state=\"waiting\"}",
        "destinations{state=\"sending\"}",
        "queued{kind=\"pdu\"}",
        "queued{kind=\"edu\"}",
        "lag_events",
        "transactions_total{result=\"failed\"}",
        "failures_total{kind=\"unreachable\"}",
        "requests_total{outcome=\"unreachable\"}",
    ] {
        assert!(told.contains(&format!("hearth_federation_{figure} ")), "{figure} is missing in {told}");
    }
    for n in 1..=MESSAGES {
        say(&api, n).await;
    }
    let open = files(&server);
    assert!(open < FILES, "{open} files are open");
    server.kill();
    let before = Kept::read(path).await;
    assert!((MESSAGES..=MESSAGES + 1).contains(&before.outgoing), "{} rows for {MESSAGES} events", before.outgoing);

    let started = Instant::now();
    let mut server = start(path);
    let api = server.api();
    say(&api, MESSAGES + 1).await;
    all_fail(&server).await;
    let open = files(&server);
    assert!(open < FILES, "{open} files are open");
    server.kill();
    let seconds = u32::try_from(started.elapsed().as_secs()).unwrap() + 1;
    let after = Kept::read(path).await;
    assert!(after.in_flight == before.in_flight, "what is on its way keeps its id and content");
    // What was walked last may not have been on disk at either kill: it is walked again.
    assert!(after.outgoing <= before.outgoing + 2, "{} rows, then {}", before.outgoing, after.outgoing);
    let again = after.attempts.checked_sub(before.attempts).expect("the pauses were not forgotten");
    assert!(again <= 100 + 10 * seconds, "{again} attempts in {seconds} s");
}
