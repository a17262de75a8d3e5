//! What every engine must do. An engine's tests call [`run`]; several writers on one store call [`run_pair`].
//!
//! The cases assert: this module is test code that other crates' tests need.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod conflicts;
mod observers;
mod pairs;
mod rows;
mod scans;
mod stamps;

use std::{future::Future, sync::Arc};

use futures::future::BoxFuture;

use crate::{Db, Engine, Result, Stamped, Table, Tx};

/// Rows by name and number.
const ROWS: Table<(String, u64), String> = Table::new(0x7F01, "conformance.rows", 1);
/// A neighbour of [`ROWS`] that nothing may spill into.
const NEXT: Table<(String, u64), String> = Table::new(0x7F02, "conformance.next", 1);
/// Rows keyed by their position.
const LOG: Table<(String, crate::Stamp), String> = Table::new(0x7F03, "conformance.log", 1);
/// Rows that hold their position.
const LAST: Table<String, Stamped<String>> = Table::new(0x7F04, "conformance.last", 1);
/// Numbers to count in.
const COUNTS: Table<String, u64> = Table::new(0x7F05, "conformance.counts", 1);

/// A case on an empty database.
pub type Case = fn(Arc<dyn Engine>) -> BoxFuture<'static, ()>;
/// A case on two writers of one empty database.
pub type PairCase = fn([Arc<dyn Engine>; 2]) -> BoxFuture<'static, ()>;

/// Every case, by the sentence that it proves.
pub fn cases() -> Vec<(&'static str, Case)> {
    [rows::CASES, scans::CASES, conflicts::CASES, stamps::CASES, observers::CASES].concat()
}

/// Runs every case on a fresh engine from `make`.
///
/// # Panics
/// When the engine does not conform; the name of the case is printed before.
pub async fn run<F: Future<Output = Arc<dyn Engine>>>(make: impl Fn() -> F) {
    for (name, case) in cases() {
        named(name, case(make().await)).await;
    }
}

/// Runs every case of two writers on a fresh pair from `make`.
///
/// # Panics
/// As [`run`].
pub async fn run_pair<F: Future<Output = [Arc<dyn Engine>; 2]>>(make: impl Fn() -> F) {
    for (name, case) in pairs::CASES {
        named(name, case(make().await)).await;
    }
}

async fn named(name: &str, case: impl Future<Output = ()> + Send + 'static) {
    if let Err(error) = tokio::spawn(case).await {
        panic!("{name}: {error}");
    }
}

/// Commits what `fill` writes.
async fn write(db: &Db, fill: impl Fn(&mut Tx)) {
    crate::retry(|| async {
        let mut tx = db.begin();
        fill(&mut tx);
        tx.commit().await
    })
    .await
    .unwrap();
}

/// Writes rows `numbers` under `name`.
async fn fill(db: &Db, name: &str, numbers: impl IntoIterator<Item = u64> + Clone) {
    write(db, |tx| {
        for n in numbers.clone() {
            tx.put(&ROWS, (name, n), &format!("{name}{n}"));
        }
    })
    .await;
}

/// Commits `tx`, which must conflict.
async fn must_conflict(tx: Tx) {
    let result: Result<()> = tx.commit().await;
    assert!(matches!(result, Err(crate::Error::Conflict)), "expected a conflict, got {result:?}");
}

/// The numbers of some rows.
fn numbers(rows: &[((String, u64), String)]) -> Vec<u64> {
    rows.iter().map(|((_, n), _)| *n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        WriterId,
        flaky::Flaky,
        memory::{Memory, Store},
    };

    #[tokio::test]
    async fn the_engine_in_memory_conforms() {
        run(|| async { Memory::new() as Arc<dyn Engine> }).await;
    }

    #[tokio::test]
    async fn the_flaky_engine_conforms() {
        run(|| async { Flaky::new(Memory::new()) as Arc<dyn Engine> }).await;
    }

    #[tokio::test]
    async fn two_writers_in_memory_conform() {
        run_pair(|| async {
            let store = Store::default();
            [Memory::on(&store, WriterId(1)) as Arc<dyn Engine>, Memory::on(&store, WriterId(2))]
        })
        .await;
    }
}
