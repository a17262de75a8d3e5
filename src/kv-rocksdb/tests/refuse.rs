//! Databases that are not ours to open.

use kv::Error;

use super::{append, directory, log, open};
use crate::{Options, RocksDb};

fn refusal(path: &std::path::Path) -> String {
    match RocksDb::open(path, Options::default()) {
        Err(Error::Refused(reason)) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_directory_that_is_open_elsewhere_is_refused() {
    let dir = directory();
    let (engine, db) = open(dir.path());
    append(&db, "one").await;
    assert!(refusal(dir.path()).contains("open in another process"));
    drop((engine, db));
    assert_eq!(log(&open(dir.path()).1).await.len(), 1);
}

#[test]
fn a_foreign_database_is_refused_and_left_alone() {
    let dir = directory();
    let foreign = rocksdb::DB::open_default(dir.path()).unwrap();
    foreign.put("their key", "their value").unwrap();
    drop(foreign);
    assert!(refusal(dir.path()).contains("not Hearth's"));
    let foreign = rocksdb::DB::open_default(dir.path()).unwrap();
    assert_eq!(foreign.get("their key").unwrap().as_deref(), Some(b"their value".as_slice()));
    assert_eq!(foreign.iterator(rocksdb::IteratorMode::Start).count(), 1);
}

#[test]
fn a_database_with_column_families_is_refused() {
    let dir = directory();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    drop(rocksdb::DB::open_cf(&options, dir.path(), ["theirs"]).unwrap());
    assert!(refusal(dir.path()).contains("not Hearth's"));
}

#[test]
fn a_newer_format_is_refused() {
    let dir = directory();
    let newer = rocksdb::DB::open_default(dir.path()).unwrap();
    newer.put(b"\xFF\xFFmark", "hearth kv-rocksdb 2").unwrap();
    drop(newer);
    assert!(refusal(dir.path()).contains("install a newer version"));
}
