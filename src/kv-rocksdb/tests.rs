//! Tests of the engine on real directories.

mod bench;
mod damage;
mod kill;
mod pipeline;
mod power;
mod refuse;
mod stop;
mod suite;

use std::{path::Path, sync::Arc};

use kv::{Db, Read, Stamp, Table};
use tempfile::TempDir;

use crate::{Options, RocksDb};

/// Rows by name and position.
const LOG: Table<(String, Stamp), String> = Table::new(0x7E01, "test.log", 1);
/// Rows by number.
const ROWS: Table<u64, String> = Table::new(0x7E02, "test.rows", 1);

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(path: &Path) -> (Arc<RocksDb>, Db) {
    open_with(path, Options::default())
}

fn open_with(path: &Path, options: Options) -> (Arc<RocksDb>, Db) {
    let engine = RocksDb::open(path, options).unwrap();
    let db = Db::new(engine.clone());
    (engine, db)
}

/// Submits a commit that appends `text` to the log.
async fn submit(db: &Db, text: &str) -> (kv::Slot, kv::Pending) {
    let mut tx = db.begin();
    let slot = tx.stamp();
    tx.put(&LOG, ("a", slot), &text.to_owned());
    (slot, tx.submit().await.unwrap())
}

/// Appends `text` to the log durably and answers its position.
async fn append(db: &Db, text: &str) -> u64 {
    let (slot, pending) = submit(db, text).await;
    let stamp = pending.stamp(slot);
    pending.durable().await.unwrap();
    stamp.n
}

/// The log, as positions and texts.
async fn log(db: &Db) -> Vec<(u64, String)> {
    let rows = db.view().scan(&LOG, LOG.all()).collect().await.unwrap();
    rows.into_iter().map(|((_, stamp), text)| (stamp.n, text)).collect()
}

/// Copies the files of one directory, as a crash would leave them. RocksDB flushes and removes files on its own
/// threads, so it copies again until no file came, went or became current meanwhile.
fn copy(from: &Path, to: &Path) {
    let state = || {
        let files = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files
            .map(|file| {
                let manifest = file.to_string_lossy().contains("MANIFEST");
                let length = if manifest { std::fs::metadata(&file).map_or(0, |data| data.len()) } else { 0 };
                (file, length)
            })
            .collect();
        files.sort();
        files
    };
    loop {
        let before = state();
        let _ = std::fs::remove_dir_all(to);
        if try_copy(from, to).is_ok() && state() == before {
            return;
        }
    }
}

fn try_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != "LOCK" {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The write-ahead logs in `path`.
fn logs(path: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "log")).collect()
}
