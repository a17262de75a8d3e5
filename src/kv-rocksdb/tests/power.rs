//! Power loss: the directory is copied while a group waits for its fsync, and the logs are cut to what the
//! last completed fsync covered. Then every acknowledged commit must be there.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{append, copy, directory, log, logs, open, open_with};
use crate::{Hooks, Options};

type Lengths = HashMap<PathBuf, u64>;

/// What the disk had, and what clients were told.
#[derive(Default)]
struct Disk {
    /// Lengths of the logs when the fsync under way began.
    begun: Lengths,
    /// Lengths of the logs that a completed fsync covered.
    synced: Lengths,
    acknowledged: Vec<u64>,
    /// Copies: where, the lengths, and what was acknowledged then.
    copies: Vec<(PathBuf, Lengths, Vec<u64>)>,
}

fn lengths(path: &Path) -> Lengths {
    // A log whose rows are flushed may go meanwhile.
    let length = |file: PathBuf| Some((file.file_name()?.into(), std::fs::metadata(&file).ok()?.len()));
    logs(path).into_iter().filter_map(length).collect()
}

/// Hooks that copy `from` to a directory under `to` at every fsync, before it takes place.
fn hooks(disk: &Arc<Mutex<Disk>>, from: &Path, to: &Path) -> Hooks {
    let (before, after) = (Arc::clone(disk), Arc::clone(disk));
    let (from, to) = (from.to_owned(), to.to_owned());
    Hooks {
        before_sync: Some(Arc::new(move || {
            let mut disk = before.lock();
            disk.begun = lengths(&from);
            let target = to.join(disk.copies.len().to_string());
            let (synced, acknowledged) = (disk.synced.clone(), disk.acknowledged.clone());
            copy(&from, &target);
            disk.copies.push((target, synced, acknowledged));
            Ok(())
        })),
        after_sync: Some(Arc::new(move || {
            let mut disk = after.lock();
            disk.synced = disk.begun.clone();
        })),
        ..Hooks::default()
    }
}

/// What becomes of the bytes that were not fsynced.
#[derive(Clone, Copy)]
enum Tail {
    Gone,
    Half,
    Garbage,
}

/// Cuts the newest log in `path`; answers how many bytes were not durable. Older ones were fsynced by RocksDB itself
/// when it flushed their rows, which the hooks do not see; its manifest says so.
fn lose_power(path: &Path, synced: &Lengths, tail: Tail) -> u64 {
    let mut lost = 0;
    if let Some(file) = logs(path).into_iter().max() {
        let name = PathBuf::from(file.file_name().unwrap());
        let mut bytes = std::fs::read(&file).unwrap();
        let keep = synced.get(&name).copied().unwrap_or(0) as usize;
        let unsynced = bytes.len().saturating_sub(keep);
        lost += unsynced as u64;
        match tail {
            Tail::Gone => bytes.truncate(keep),
            Tail::Half => bytes.truncate(keep + unsynced / 2),
            Tail::Garbage => bytes.iter_mut().skip(keep).for_each(|byte| *byte = byte.wrapping_mul(31) ^ 0x5A),
        }
        std::fs::write(file, bytes).unwrap();
    }
    lost
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_acknowledged_commit_survives_power_loss() {
    let (dir, copies) = (directory(), directory());
    // What an earlier process left; its log is flushed to tables on the clean stop.
    let (engine, db) = open(dir.path());
    let first = append(&db, "earlier").await;
    drop((engine, db));
    let disk = Arc::new(Mutex::new(Disk { synced: HashMap::new(), acknowledged: vec![first], ..Disk::default() }));
    let hooks = hooks(&disk, dir.path(), copies.path());
    // Small memtables, so that logs are switched and tables flushed meanwhile.
    let (engine, db) = open_with(dir.path(), Options { hooks, memtable_bytes: 256 << 10, ..Options::default() });
    // Opening fsyncs the lease itself.
    disk.lock().synced = lengths(dir.path());
    let tasks: Vec<_> = (0..6)
        .map(|task| {
            let (db, disk) = (db.clone(), Arc::clone(&disk));
            tokio::spawn(async move {
                for n in 0..30 {
                    let position = append(&db, &format!("{task}.{n} {}", "x".repeat(3_000))).await;
                    disk.lock().acknowledged.push(position);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop((engine, db));
    let copied = std::mem::take(&mut disk.lock().copies);
    assert!(copied.len() >= 30);
    let mut lost = 0;
    for (at, (path, synced, acknowledged)) in copied.into_iter().enumerate() {
        let tail = [Tail::Gone, Tail::Half, Tail::Garbage][at % 3];
        lost += lose_power(&path, &synced, tail);
        let (_engine, db) = open(&path);
        let found: Vec<_> = log(&db).await.into_iter().map(|(position, _)| position).collect();
        for position in acknowledged {
            assert!(found.contains(&position), "copy {at} lost position {position}");
        }
    }
    assert!(lost > 0, "nothing was cut, so nothing was tested");
}
