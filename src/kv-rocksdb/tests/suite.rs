//! The suite that every engine passes.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use kv::{Engine, conformance};

use super::directory;
use crate::{Durability, Options, RocksDb};

async fn conforms(options: Options) {
    let dir = directory();
    let next = AtomicU32::new(0);
    conformance::run(|| {
        let path = dir.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
        let engine: Arc<dyn Engine> = RocksDb::open(path, options.clone()).unwrap();
        async { engine }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rocksdb_conforms() {
    conforms(Options::default()).await;
}

#[tokio::test]
async fn rocksdb_conforms_on_one_thread() {
    conforms(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rocksdb_conforms_without_fsync() {
    conforms(Options { durability: Durability::Os, ..Options::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rocksdb_conforms_when_nothing_stays_in_memory() {
    conforms(Options { cache_bytes: 0, memtable_bytes: 64 << 10, ..Options::default() }).await;
}
