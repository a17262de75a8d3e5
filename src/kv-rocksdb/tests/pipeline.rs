//! Group fsync, publication, positions, reads beyond the cache.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc,
};

use kv::{Error, Read};
use parking_lot::Mutex;

use super::{LOG, ROWS, append, copy, directory, log, open, open_with, submit};
use crate::{BeforeSync, Durability, Hooks, Options, own};

/// Options whose fsyncs wait for a message each.
fn gated() -> (mpsc::Sender<()>, Options) {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let before: BeforeSync = Arc::new(move || gate.lock().recv().map_err(|error| error.to_string()));
    (open, Options { hooks: Hooks { before_sync: Some(before), ..Hooks::default() }, ..Options::default() })
}

#[tokio::test]
async fn sixty_four_senders_share_two_fsyncs() {
    let dir = directory();
    let (gate, options) = gated();
    let (engine, db) = open_with(dir.path(), options);
    let before = engine.counters();
    let mut pending = Vec::new();
    for n in 0..64 {
        pending.push(submit(&db, &n.to_string()).await.1);
    }
    gate.send(()).unwrap();
    gate.send(()).unwrap();
    for one in pending {
        one.durable().await.unwrap();
    }
    let after = engine.counters();
    assert_eq!(after.commits - before.commits, 64);
    assert!(after.fsyncs - before.fsyncs <= 2, "{} fsyncs", after.fsyncs - before.fsyncs);
    assert_eq!(log(&db).await.len(), 64);
}

#[tokio::test]
async fn a_view_shows_nothing_before_the_fsync_and_a_transaction_does() {
    let dir = directory();
    let (gate, options) = gated();
    let (_engine, db) = open_with(dir.path(), options);
    let (slot, pending) = submit(&db, "waiting").await;
    let stamp = pending.stamp(slot);
    assert_eq!(db.begin().get(&LOG, ("a", stamp)).await.unwrap().as_deref(), Some("waiting"));
    assert_eq!(db.view().get(&LOG, ("a", stamp)).await.unwrap(), None);
    assert!(!db.positions().covers(stamp));
    gate.send(()).unwrap();
    pending.durable().await.unwrap();
    assert_eq!(db.view().get(&LOG, ("a", stamp)).await.unwrap().as_deref(), Some("waiting"));
    assert!(db.positions().covers(stamp));
}

#[tokio::test]
async fn a_commit_that_writes_nothing_waits_for_what_it_has_read_and_costs_no_fsync() {
    let dir = directory();
    let (gate, options) = gated();
    let (engine, db) = open_with(dir.path(), options);
    let (slot, written) = submit(&db, "waiting").await;
    let tx = db.begin();
    assert!(tx.get(&LOG, ("a", written.stamp(slot))).await.unwrap().is_some());
    let mut answered = Box::pin(tx.commit());
    for _ in 0..10 {
        assert!(futures::poll!(answered.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    (0..3).for_each(|_| gate.send(()).unwrap());
    answered.await.unwrap();
    written.durable().await.unwrap();
    db.begin().commit().await.unwrap();
    assert_eq!(engine.counters().fsyncs, 1);
}

#[tokio::test]
async fn a_relaxed_commit_needs_no_fsync_but_waits_its_turn() {
    let dir = directory();
    let (gate, options) = gated();
    let (engine, db) = open_with(dir.path(), options);
    let mut alone = db.begin();
    alone.put(&ROWS, 1, &"relaxed".to_owned());
    alone.relaxed().commit().await.unwrap();
    assert_eq!(engine.counters().fsyncs, 0);
    let (_, synced) = submit(&db, "synced").await;
    let mut behind = db.begin();
    behind.put(&ROWS, 2, &"relaxed".to_owned());
    let behind = behind.relaxed().submit().await.unwrap();
    assert_eq!(db.view().get(&ROWS, 2).await.unwrap(), None);
    gate.send(()).unwrap();
    synced.durable().await.unwrap();
    behind.durable().await.unwrap();
    assert_eq!(engine.counters().fsyncs, 1);
    assert!(db.view().get(&ROWS, 2).await.unwrap().is_some());
}

#[tokio::test]
async fn durability_os_never_fsyncs_on_commit() {
    let dir = directory();
    let (engine, db) = open_with(dir.path(), Options { durability: Durability::Os, ..Options::default() });
    for n in 0..10 {
        append(&db, &n.to_string()).await;
    }
    assert_eq!(engine.counters().fsyncs, 0);
    let crashed = directory();
    copy(dir.path(), crashed.path());
    assert_eq!(log(&open(crashed.path()).1).await.len(), 10);
}

#[tokio::test]
async fn a_failed_fsync_acknowledges_nothing_any_more() {
    let dir = directory();
    let failures = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&failures);
    let hooks = Hooks {
        before_sync: Some(Arc::new(|| Err("no space".into()))),
        on_failure: Some(Arc::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        })),
        ..Hooks::default()
    };
    let (_engine, db) = open_with(dir.path(), Options { hooks, ..Options::default() });
    let (_, pending) = submit(&db, "lost").await;
    assert!(matches!(pending.durable().await, Err(Error::Engine(_))));
    let mut tx = db.begin();
    tx.put(&ROWS, 1, &"never".to_owned());
    assert!(matches!(tx.commit().await, Err(Error::Engine(_))));
    assert!(log(&db).await.is_empty());
    assert_eq!(failures.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_panicking_observer_stops_nothing() {
    struct Bad;
    impl kv::Observer for Bad {
        fn record(&self, _: &[kv::Announcement]) {
            panic!("bad observer");
        }
        fn wake(&self, _: &[kv::Announcement]) {}
    }
    let dir = directory();
    let (_engine, db) = open(dir.path());
    db.observe(Arc::new(Bad));
    for n in 0..3 {
        let mut tx = db.begin();
        let slot = tx.stamp();
        tx.announce(kv::Topic::Room(n), slot);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn positions_go_on_after_a_clean_stop_and_leap_after_a_crash() {
    let (dir, crashed) = (directory(), directory());
    let (engine, db) = open(dir.path());
    let last = append(&db, "one").await;
    drop((engine, db));
    let (_engine, db) = open(dir.path());
    assert_eq!(db.positions().of(db.writer()), last);
    assert_eq!(append(&db, "two").await, last + 1);
    copy(dir.path(), crashed.path());
    let (_engine, after) = open(crashed.path());
    assert!(append(&after, "three").await > last + own::BLOCK);
    assert_eq!(log(&after).await.len(), 3);
}

#[tokio::test]
async fn a_lease_is_durable_before_its_positions_are_published() {
    let (dir, crashed) = (directory(), directory());
    let (engine, db) = open_with(dir.path(), Options { durability: Durability::Os, ..Options::default() });
    let mut tx = db.begin();
    for _ in 0..own::BLOCK + 5 {
        tx.stamp();
    }
    tx.relaxed().commit().await.unwrap();
    assert_eq!(engine.counters().fsyncs, 1);
    let last = append(&db, "beyond the first block").await;
    assert!(last > own::BLOCK);
    copy(dir.path(), crashed.path());
    let (_engine, after) = open(crashed.path());
    assert!(append(&after, "after the crash").await > last);
}

#[tokio::test]
async fn reads_beyond_the_cache_find_what_is_on_disk() {
    let dir = directory();
    let (engine, db) = open_with(dir.path(), Options { cache_bytes: 0, ..Options::default() });
    let mut tx = db.begin();
    for n in 0..1_000 {
        tx.put(&ROWS, n, &format!("{n}-{}", "x".repeat(500)));
    }
    tx.commit().await.unwrap();
    engine.flush().unwrap();
    let view = db.view();
    assert!(view.get(&ROWS, 500).await.unwrap().unwrap().starts_with("500-"));
    let many = view.get_many(&ROWS, [999, 5_000, 0]).await.unwrap();
    assert!(many[0].is_some() && many[1].is_none() && many[2].is_some());
    assert_eq!(view.scan(&ROWS, ROWS.all()).collect().await.unwrap().len(), 1_000);
    let back = view.scan_back(&ROWS, ROWS.all()).by(7).first(20).await.unwrap();
    assert_eq!(back.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (980..1_000).rev().collect::<Vec<_>>());
    assert!(engine.counters().misses > 0);
}

#[tokio::test]
async fn a_closed_database_takes_no_commits_and_stays_readable() {
    let dir = directory();
    let (engine, db) = open(dir.path());
    append(&db, "before").await;
    engine.close().unwrap();
    let mut tx = db.begin();
    tx.put(&ROWS, 1, &"after".to_owned());
    assert!(tx.commit().await.is_err());
    assert_eq!(log(&db).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_finishes_what_is_pending() {
    let dir = directory();
    let (engine, db) = open(dir.path());
    let mut pending = Vec::new();
    for n in 0..50 {
        pending.push(submit(&db, &n.to_string()).await.1);
    }
    engine.close().unwrap();
    for one in pending {
        one.durable().await.unwrap();
    }
    drop((engine, db));
    assert_eq!(log(&open(dir.path()).1).await.len(), 50);
}

#[tokio::test]
async fn reclaiming_a_cleared_range_gives_the_space_back() {
    let dir = directory();
    let (engine, db) = open(dir.path());
    let mut tx = db.begin();
    for n in 0..2_000_u64 {
        // Not compressible: a digest-like text of its own for each row.
        let noise: String =
            (0..100_u64).map(|i| format!("{:x}", (n * 100 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
        tx.put(&ROWS, n, &noise);
    }
    tx.commit().await.unwrap();
    engine.flush().unwrap();
    let size = || engine.shared.db.property_int_value("rocksdb.live-sst-files-size").unwrap().unwrap();
    let full = size();
    let mut tx = db.begin();
    tx.clear_range(ROWS.all());
    tx.commit().await.unwrap();
    db.reclaim(&ROWS.all()).await.unwrap();
    assert!(size() < full / 10, "{} of {full} bytes are left", size());
}
