//! Validation and the write to log and memtable, under one mutex.

use std::{path::Path, sync::Arc};

use futures::future::{BoxFuture, FutureExt, ready};
use kv::{Announcement, Commit, Error, Observer, Pending, Positions, Result, Stamp, conflict::Recent};
use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
use rocksdb::{DB, WriteOptions};
use tokio::sync::oneshot;

use crate::{
    Durability, Options, WRITER, batch,
    counters::{Tally, add},
    held::Held,
    moment::{Moment, Pool},
    open::{self, engine_error},
    options::Hooks,
    own,
    publish::Crowd,
};

/// What the engine's handle and the syncer thread share.
pub struct Shared {
    pub db: Arc<DB>,
    pub core: Mutex<Core>,
    /// Told when there is something to publish, or when a publication ended.
    pub work: Condvar,
    pub published: RwLock<Arc<Moment>>,
    pub observers: RwLock<Vec<Arc<dyn Observer>>>,
    pub pool: Pool,
    pub tally: Arc<Tally>,
    pub durability: Durability,
    pub hooks: Hooks,
}

/// What the mutex guards: the order of commits.
pub struct Core {
    /// Validated commits.
    pub sequence: u64,
    recent: Recent,
    /// The last position given.
    pub last: u64,
    /// The last position that may be given before the next lease.
    leased: u64,
    /// Written commits that are not on their way to publication yet.
    pub queue: Vec<Waiting>,
    /// Whether one of `queue` waits for an fsync.
    pub needs_sync: bool,
    /// Whether a group is being published; groups follow each other.
    pub publishing: bool,
    /// Whether it is worth waiting for more commits.
    pub crowd: Crowd,
    /// The snapshot at `sequence`, if one was taken.
    latest: Option<Arc<Held>>,
    /// RocksDB's sequence number up to which the log is fsynced.
    pub durable: u64,
    pub life: Life,
}

/// Whether commits are taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Life {
    Open,
    Closing,
    /// The disk failed; for tests, as the process ends otherwise.
    Failed(String),
}

/// A written commit that nobody outside knows of.
pub struct Waiting {
    pub changes: Vec<Announcement>,
    pub done: Option<oneshot::Sender<Result<()>>>,
}

impl Core {
    fn at(db: &DB, given: u64) -> Self {
        Self {
            sequence: 0,
            recent: Recent::default(),
            last: given,
            leased: given + own::BLOCK,
            queue: Vec::new(),
            needs_sync: false,
            publishing: false,
            crowd: Crowd::default(),
            latest: None,
            durable: db.latest_sequence_number(),
            life: Life::Open,
        }
    }

    /// The snapshot at `sequence`.
    pub fn latest(&mut self, db: &Arc<DB>) -> Arc<Held> {
        Arc::clone(self.latest.get_or_insert_with(|| Arc::new(Held::take(db))))
    }

    fn check_open(&self) -> Result<()> {
        match &self.life {
            Life::Open => Ok(()),
            Life::Closing => Err(Error::Engine("the database is closed".into())),
            Life::Failed(reason) => Err(Error::Engine(reason.clone())),
        }
    }
}

impl Shared {
    /// Opens the database and publishes what is there.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        let db = Arc::new(open::open(path, &options)?);
        let given = own::claim(&db)?;
        let mut core = Core::at(&db, given);
        let tally = Arc::new(Tally::default());
        let pool = Pool::new(Arc::clone(&tally));
        let positions = Positions::from_iter([(WRITER, given)]);
        let first = Moment { held: core.latest(&db), sequence: 0, positions, pool: pool.clone() };
        Ok(Self {
            db,
            core: Mutex::new(core),
            work: Condvar::new(),
            published: RwLock::new(Arc::new(first)),
            observers: RwLock::default(),
            pool,
            tally,
            durability: options.durability,
            hooks: options.hooks,
        })
    }

    /// The newest published moment.
    pub fn published(&self) -> Arc<Moment> {
        Arc::clone(&self.published.read())
    }

    /// The newest validated state.
    pub fn validated(&self) -> Arc<Moment> {
        let (held, sequence, positions) = {
            let mut core = self.core.lock();
            (core.latest(&self.db), core.sequence, self.published.read().positions.clone())
        };
        Arc::new(Moment { held, sequence, positions, pool: self.pool.clone() })
    }

    /// Validates and writes `commit`, and sees to it that it is published.
    pub fn commit(&self, mut commit: Commit) -> Result<Pending> {
        let mut core = self.core.lock();
        core.check_open()?;
        if core.recent.conflicts(&commit) {
            add(&self.tally.conflicts, 1);
            return Err(Error::Conflict);
        }
        let first = Stamp { writer: WRITER, n: core.last + 1 };
        // One that writes nothing waits for what it has read, which may be on its way, and needs no fsync of its own.
        let wants_sync = !is_empty(&commit) && commit.durability == kv::Durability::Synced;
        let leases = self.write(&mut core, &mut commit, first)?;
        add(&self.tally.commits, 1);
        core.needs_sync |= (wants_sync && self.durability == Durability::Fsync) || leases;
        let changes = announcements(&commit, first);
        Ok(Pending::new(first, self.enqueue(core, changes)))
    }

    /// Writes the batch; answers whether it leases a block of positions, which must be durable before use.
    fn write(&self, core: &mut Core, commit: &mut Commit, first: Stamp) -> Result<bool> {
        if is_empty(commit) {
            return Ok(false);
        }
        let mut written = batch::build(&self.db, commit, first, core.durable)?;
        let last = core.last + u64::from(commit.stamps);
        let leases = last > core.leased;
        if leases {
            own::lease(&mut written.batch, last + own::BLOCK);
        }
        add(&self.tally.bytes, written.batch.size_in_bytes() as u64);
        // After a failed write it is unknown what the log holds.
        self.db
            .write_opt(written.batch, &WriteOptions::default())
            .map_err(|error| self.fail(core, engine_error(error)))?;
        if leases {
            core.leased = last + own::BLOCK;
        }
        core.last = last;
        core.sequence += 1;
        core.latest = None;
        core.recent.record(core.sequence, written.keys.iter().map(Vec::as_slice), &commit.cleared);
        Ok(leases)
    }

    /// Publishes at once if nothing has to wait for the disk, else hands over to the syncer.
    fn enqueue(&self, mut core: MutexGuard<'_, Core>, changes: Vec<Announcement>) -> BoxFuture<'static, Result<()>> {
        if core.queue.is_empty() && !core.needs_sync && !core.publishing {
            core.queue.push(Waiting { changes, done: None });
            let group = self.take_group(&mut core);
            drop(core);
            return ready(self.publish(group)).boxed();
        }
        let (done, published) = oneshot::channel();
        core.queue.push(Waiting { changes, done: Some(done) });
        drop(core);
        self.work.notify_one();
        published.map(|result| result.unwrap_or_else(|_| Err(Error::Engine("the syncer is gone".into())))).boxed()
    }

    /// Stops the process, as what is on disk is unknown now; in tests, refuses everything from here on.
    pub fn fail(&self, core: &mut Core, error: Error) -> Error {
        tracing::error!(%error, "disk failed, stopping");
        match &self.hooks.on_failure {
            Some(hook) => hook(&error),
            None => std::process::abort(),
        }
        core.life = Life::Failed(error.to_string());
        for waiting in core.queue.drain(..) {
            waiting.finish(Err(error.clone()));
        }
        self.work.notify_one();
        error
    }
}

impl Waiting {
    /// Tells who waits; nobody may.
    pub fn finish(self, result: Result<()>) {
        if let Some(done) = self.done {
            let _ = done.send(result);
        }
    }
}

fn is_empty(commit: &Commit) -> bool {
    commit.cleared.is_empty() && commit.writes.is_empty() && commit.stamped.is_empty() && commit.stamps == 0
}

fn announcements(commit: &Commit, first: Stamp) -> Vec<Announcement> {
    let at = |slot: kv::Slot| Stamp { n: first.n + u64::from(slot.index()), ..first };
    commit.topics.iter().map(|(topic, slot)| Announcement { topic: topic.clone(), stamp: at(*slot) }).collect()
}
