//! Measurements; run them with `--ignored --nocapture --release`.

use std::time::Instant;

use kv::{Read, Stamp, Table};

use super::{ROWS, copy, directory, open, open_with};
use crate::{Durability, Options};

const EVENTS: Table<(u64, u64), String> = Table::new(0x7E10, "bench.events", 1);
const INDEX: Table<(String, u64), u64> = Table::new(0x7E11, "bench.index", 1);
const STREAM: Table<(u64, Stamp), u64> = Table::new(0x7E12, "bench.stream", 1);

/// CPU time of this process in microseconds.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 10_000
}

/// Commits five rows of about 1 KiB together.
async fn event(db: &kv::Db, n: u64, body: &str) {
    let mut tx = db.begin();
    let slot = tx.stamp();
    tx.put(&EVENTS, (1, n), &body.to_owned());
    tx.put(&INDEX, ("$event-id-of-forty-four-characters-or-so", n), &n);
    tx.put(&ROWS, 1, &n.to_string());
    tx.put(&INDEX, ("tip", 1), &n);
    tx.put(&STREAM, (1, slot), &n);
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn figures() {
    let (dir, crashed) = (directory(), directory());
    let (engine, db) = open_with(dir.path(), Options { durability: Durability::Os, ..Options::default() });
    let body = "x".repeat(900);
    let (start, cpu0, before) = (Instant::now(), cpu(), engine.counters());
    for n in 0..100_000 {
        event(&db, n, &body).await;
    }
    let after = engine.counters();
    println!(
        "commit (os): {:.1} us wall, {:.1} us cpu with flushes",
        start.elapsed().as_secs_f64() * 10.0,
        (cpu() - cpu0) as f64 / 1e5
    );
    println!("bytes per commit: {}", (after.bytes - before.bytes) / 100_000);

    copy(dir.path(), crashed.path());
    let start = Instant::now();
    let (again, view) = open(crashed.path());
    assert!(view.view().get(&EVENTS, (1, 99_999)).await.unwrap().is_some());
    println!("start after kill -9: {:?}", start.elapsed());
    drop((again, view));

    let view = db.view();
    for _ in 0..2 {
        let start = Instant::now();
        for n in 0..100_000 {
            assert!(view.get(&EVENTS, (1, n % 1_000)).await.unwrap().is_some());
        }
        println!("cached get, 1 KiB: {:.2} us", start.elapsed().as_secs_f64() * 10.0);
    }
    let start = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(view.scan(&EVENTS, EVENTS.all()).first(100).await.unwrap().len(), 100);
    }
    println!("page of 100 rows: {:.1} us", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    for _ in 0..100_000 {
        std::hint::black_box(db.view());
    }
    println!("view: {:.3} us", start.elapsed().as_secs_f64() * 10.0);
    let start = Instant::now();
    for _ in 0..100_000 {
        std::hint::black_box(db.begin());
    }
    println!("begin, unchanged: {:.3} us", start.elapsed().as_secs_f64() * 10.0);

    let start = Instant::now();
    drop(view);
    drop((engine, db));
    println!("clean stop: {:?}", start.elapsed());
    let start = Instant::now();
    let (engine, db) = open(dir.path());
    assert!(db.view().get(&EVENTS, (1, 99_999)).await.unwrap().is_some());
    println!("start after clean stop: {:?}", start.elapsed());

    let (start, before) = (Instant::now(), engine.counters());
    for n in 0..500 {
        event(&db, 200_000 + n, &body).await;
    }
    let after = engine.counters();
    println!(
        "one sender, fsync: {:.0} us, {} fsyncs",
        start.elapsed().as_secs_f64() * 2e3,
        after.fsyncs - before.fsyncs
    );
    let (start, before, cpu0) = (Instant::now(), engine.counters(), cpu());
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let (db, body) = (db.clone(), body.clone());
            tokio::spawn(async move {
                for n in 0..200 {
                    event(&db, (task + 10) * 1_000_000 + n, &body).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (after, commits) = (engine.counters(), 64.0 * 200.0);
    println!(
        "64 senders, fsync: {:.0} commits/s, {} fsyncs, {:.1} us cpu per commit",
        commits / start.elapsed().as_secs_f64(),
        after.fsyncs - before.fsyncs,
        (cpu() - cpu0) as f64 / commits
    );
}
