//! The RocksDB engine: [`kv::Engine`] on one directory of one machine.
//!
//! **Owns** the database directory, the commit pipeline with its group fsync, recovery, and the durable blocks
//! from which stream positions are given.
//! **Must not know** tables, rooms or users: keys and values are bytes here.
//! **Tables**: two rows of its own under table id `FFFF` (`own.rs`).
//! **Tasks**: one thread, the syncer, which ends when the engine is dropped or closed.
//! **Invariants**
//! - A commit is validated, numbered and written to log and memtable under one mutex, so the order of
//!   positions is the order of RocksDB's sequence numbers.
//! - What is published is fsynced (unless it is `Relaxed` or durability is `os`), and groups are published in order.
//! - No position at or above the durable end of the leased block is published.
//! - A failed write or fsync stops the process: what the page cache holds then is unknown.
//! - An acknowledged commit is never dropped silently by recovery: every record in the log names the sequence
//!   number that was durable when it was written, and [`RocksDb::open`] refuses a log that recovers to less.

mod batch;
mod commit;
mod counters;
mod held;
mod moment;
mod open;
mod options;
mod own;
mod publish;
mod wal;

#[cfg(test)]
mod tests;

use std::{fmt, path::Path, sync::Arc, thread::JoinHandle};

use futures::future::{BoxFuture, FutureExt, ready};
use kv::{Commit, Engine, Observer, Pending, Range, Result, Snapshot, WriterId};
use parking_lot::Mutex;

pub use counters::Counters;
pub use options::{AfterSync, BeforeSync, Durability, Hooks, OnFailure, Options};

use crate::{commit::Shared, open::engine_error};

/// The only writer of a database on one machine.
const WRITER: WriterId = WriterId(1);

/// A RocksDB database. Dropping it, or [`RocksDb::close`], leaves everything on disk and the memtables flushed.
pub struct RocksDb {
    shared: Arc<Shared>,
    syncer: Mutex<Option<JoinHandle<()>>>,
}

impl RocksDb {
    /// Opens or creates the database in `path`. Blocks while the log is replayed.
    ///
    /// # Errors
    /// [`kv::Error::Refused`] when another process has it open, when it is not Hearth's, or when recovery would
    /// drop acknowledged commits; [`kv::Error::Engine`] when the disk fails.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Arc<Self>> {
        let shared = Arc::new(Shared::open(path.as_ref(), options)?);
        let thread = Arc::clone(&shared);
        let syncer = std::thread::Builder::new()
            .name("kv-syncer".into())
            .spawn(move || thread.sync_until_closed())
            .map_err(|error| kv::Error::Engine(format!("cannot start the syncer thread: {error}")))?;
        Ok(Arc::new(Self { shared, syncer: Mutex::new(Some(syncer)) }))
    }

    /// Ends the syncer after everything pending is durable, and flushes the memtables so that the next start
    /// replays nothing. Later commits fail; views stay readable. Blocks.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn close(&self) -> Result<()> {
        self.shared.begin_close();
        let Some(syncer) = self.syncer.lock().take() else { return Ok(()) };
        if syncer.join().is_err() {
            return Err(kv::Error::Engine("the syncer thread panicked".into()));
        }
        self.shared.finish_close()
    }

    /// What this process has counted so far.
    pub fn counters(&self) -> Counters {
        self.shared.tally.read(&self.shared.db)
    }

    /// Writes the memtables to disk. Blocks.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush(&self) -> Result<()> {
        self.shared.db.flush().map_err(engine_error)
    }

    /// Compacts everything. Blocks.
    pub fn compact(&self) {
        self.shared.db.compact_range(None::<&[u8]>, None::<&[u8]>);
    }
}

impl Drop for RocksDb {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "database not closed cleanly");
        }
    }
}

impl fmt::Debug for RocksDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksDb").field("path", &self.shared.db.path()).finish_non_exhaustive()
    }
}

impl Engine for RocksDb {
    fn writer(&self) -> WriterId {
        WRITER
    }

    fn durable(&self) -> Arc<dyn Snapshot> {
        self.shared.published()
    }

    fn validated(&self) -> Arc<dyn Snapshot> {
        self.shared.validated()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Pending>> {
        ready(self.shared.commit(commit)).boxed()
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.shared.observers.write().push(observer);
    }

    /// Compacts the files that overlap `range`. Files are not deleted unread: one that lies within the range may
    /// hold the tombstones of rows that an older, wider file still has.
    fn reclaim<'a>(&'a self, range: &'a Range) -> BoxFuture<'a, Result<()>> {
        let (db, range) = (Arc::clone(&self.shared.db), range.clone());
        async move {
            tokio::task::spawn_blocking(move || db.compact_range(Some(range.start), Some(range.end)))
                .await
                .map_err(|error| kv::Error::Engine(error.to_string()))
        }
        .boxed()
    }
}
