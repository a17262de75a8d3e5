//! `kill -9` under load: the test binary runs itself as a child that commits and says what was acknowledged.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use super::{LOG, directory, log, open_with};
use crate::{Durability, Options};

const DIRECTORY: &str = "HEARTH_KILL_TEST_DIR";
const ROUND: &str = "HEARTH_KILL_TEST_ROUND";
const ROUNDS: u64 = 50;
const TASKS: u64 = 4;

fn options(round: u64) -> Options {
    let durability = if round.is_multiple_of(2) { Durability::Fsync } else { Durability::Os };
    // Small memtables, so that flushes happen under the knife too.
    Options { durability, memtable_bytes: 256 << 10, ..Options::default() }
}

/// Not a test by itself: what the parent starts and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(path), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) else { return };
    let round: u64 = round.parse().unwrap();
    let (_engine, db) = open_with(path.as_ref(), options(round));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                for n in 0_u64.. {
                    let id = format!("{round}.{task}.{n}");
                    let mut tx = db.begin();
                    let slot = tx.stamp();
                    tx.put(&LOG, ("a", slot), &format!("{id} {}", "x".repeat(1_000)));
                    let pending = tx.submit().await.unwrap();
                    let position = pending.stamp(slot).n;
                    pending.durable().await.unwrap();
                    writeln!(std::io::stdout(), "ack {id} {position}").unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Runs the child until it has said `lines` acknowledgements, kills it, and answers all that it said.
fn load(path: &std::path::Path, round: u64, lines: usize) -> Vec<(String, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        // The last line may be cut off by the kill; then its newline is missing and so may be digits.
        if let ["ack", id, position] = words.as_slice() {
            said.push(((*id).to_owned(), position.parse().unwrap()));
        }
        if said.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    said
}

#[tokio::test]
async fn every_acknowledged_commit_survives_kill_9_exactly_once() {
    let dir = directory();
    let mut acknowledged = HashMap::new();
    let mut highest = 0;
    for round in 0..ROUNDS {
        let said = load(dir.path(), round, 1 + (round as usize * 7) % 60);
        assert!(!said.is_empty(), "the child said nothing");
        let lowest = said.iter().map(|(_, position)| *position).min().unwrap();
        assert!(lowest > highest, "round {round} repeats position {lowest}");
        acknowledged.extend(said);
        let (engine, db) = open_with(dir.path(), options(round));
        let mut found = HashMap::new();
        for (position, text) in log(&db).await {
            let id = text.split(' ').next().unwrap().to_owned();
            assert_eq!(found.insert(id, position), None, "a commit is there twice");
            highest = highest.max(position);
        }
        for (id, position) in &acknowledged {
            assert_eq!(found.get(id), Some(position), "commit {id} of {round} rounds is lost");
        }
        highest = highest.max(db.positions().of(db.writer()));
        drop((engine, db));
    }
    assert!(acknowledged.len() > 50);
}
