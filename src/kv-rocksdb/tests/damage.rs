//! Damage in the log where it had been durable.

use std::path::Path;

use kv::{Error, Read};

use super::{LOG, append, copy, directory, log, logs, open, open_with};
use crate::{Options, RocksDb, wal};

/// A directory as `kill -9` leaves it, with 20 commits of which each was acknowledged before the next.
async fn crashed(to: &Path) {
    let dir = directory();
    let (_engine, db) = open(dir.path());
    for n in 0..20 {
        append(&db, &format!("{n} {}", "x".repeat(2_000))).await;
    }
    copy(dir.path(), to);
}

fn damage(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    for file in logs(path) {
        let mut bytes = std::fs::read(&file).unwrap();
        change(&mut bytes);
        std::fs::write(file, bytes).unwrap();
    }
}

fn refused(path: &Path) -> String {
    match RocksDb::open(path, Options::default()) {
        Err(Error::Refused(reason)) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_flipped_bit_amid_the_log_is_refused_until_loss_is_accepted() {
    let dir = directory();
    crashed(dir.path()).await;
    damage(dir.path(), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    assert!(refused(dir.path()).contains("would lose acknowledged changes"));
    assert!(refused(dir.path()).contains("hearth repair"), "a refusal changes nothing");
    let (_engine, db) = open_with(dir.path(), Options { accept_data_loss: true, ..Options::default() });
    let left = log(&db).await.len();
    assert!(left > 0 && left < 20, "{left} rows are left");
}

#[tokio::test]
async fn a_torn_last_record_is_dropped_quietly() {
    let dir = directory();
    crashed(dir.path()).await;
    damage(dir.path(), |bytes| bytes.truncate(bytes.len() - 100));
    assert_eq!(log(&open(dir.path()).1).await.len(), 19);
}

#[tokio::test]
async fn marks_are_read_back_from_the_log() {
    let dir = directory();
    crashed(dir.path()).await;
    let newest = wal::newest(dir.path()).unwrap();
    let (engine, _db) = open(dir.path());
    assert!(0 < newest.durable && newest.durable <= newest.written, "{newest:?}");
    assert!(newest.written < engine.counters().sequence);
}

#[tokio::test]
async fn a_damaged_end_leaves_the_marks_before_it() {
    let dir = directory();
    crashed(dir.path()).await;
    let whole = wal::newest(dir.path()).unwrap();
    damage(dir.path(), |bytes| bytes.iter_mut().skip(33 << 10).for_each(|byte| *byte ^= 1));
    let left = wal::newest(dir.path()).unwrap();
    assert!(0 < left.durable && left.durable < whole.durable, "{left:?} of {whole:?}");
    assert!(left.written < whole.written, "{left:?} of {whole:?}");
}

#[tokio::test]
async fn a_flipped_bit_in_a_table_file_is_an_error_and_no_other_answer() {
    let dir = directory();
    let (engine, db) = open(dir.path());
    for n in 0..20_u64 {
        // Not compressible, so that rows are most of the file.
        let noise: String =
            (0..100_u64).map(|i| format!("{:x}", (n * 100 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
        append(&db, &noise).await;
    }
    drop((engine, db));
    let files = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let largest = files.filter(|file| file.extension().is_some_and(|extension| extension == "sst"));
    let table = largest.max_by_key(|file| std::fs::metadata(file).unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&table).unwrap();
    let quarter = bytes.len() / 4;
    bytes[quarter] ^= 1;
    std::fs::write(table, bytes).unwrap();
    let (_engine, db) = open(dir.path());
    assert!(matches!(db.view().scan(&LOG, LOG.all()).collect().await, Err(Error::Engine(_))));
}
