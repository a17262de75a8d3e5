use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{Announcement, Positions, Range, Result, Slot, Stamp, Topic, WriterId, codec::KeyBuf};

/// What a commit waits for before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// An fsync: events, accounts, keys, queues.
    #[default]
    Synced,
    /// Nothing: typing, presence, caches. A crash may lose it.
    Relaxed,
}

/// What happens to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOp {
    /// The key gets this value.
    Put(Bytes),
    /// The key is removed.
    Delete,
}

/// A put whose key or value holds the position of its transaction.
#[derive(Debug, Clone)]
pub struct StampedPut {
    /// The key and its places for stamps.
    pub key: KeyBuf,
    /// The value.
    pub value: Vec<u8>,
    /// Offset of a stamp in the value.
    pub value_slot: Option<(u32, Slot)>,
}

impl StampedPut {
    /// Key and value with the stamps that start at `first` put in.
    pub fn resolve(self, first: Stamp) -> (Vec<u8>, Vec<u8>) {
        let Self { key: KeyBuf { bytes: mut key, slots }, mut value, value_slot } = self;
        for (at, slot) in slots {
            write_stamp(&mut key, at, first, slot);
        }
        if let Some((at, slot)) = value_slot {
            write_stamp(&mut value, at, first, slot);
        }
        (key, value)
    }
}

fn write_stamp(bytes: &mut [u8], at: u32, first: Stamp, slot: Slot) {
    let at = at as usize;
    if let Some(place) = bytes.get_mut(at..at + Stamp::BYTES) {
        let (writer, n) = place.split_at_mut(2);
        writer.copy_from_slice(&first.writer.0.to_be_bytes());
        n.copy_from_slice(&(first.n + u64::from(slot.index())).to_be_bytes());
    }
}

/// Everything a transaction asks of its engine.
#[derive(Debug, Default)]
pub struct Commit {
    /// [`Snapshot::sequence`] of what the transaction has read.
    pub begun: u64,
    /// Keys whose rows (or absence) the transaction decided on.
    pub reads: Vec<Vec<u8>>,
    /// Ranges removed before `writes` and `stamped` apply.
    pub cleared: Vec<Range>,
    /// Plain writes.
    pub writes: BTreeMap<Vec<u8>, WriteOp>,
    /// Writes that hold stamps.
    pub stamped: Vec<StampedPut>,
    /// How many stamps to give.
    pub stamps: u32,
    /// Told to observers when the stamps are published.
    pub topics: Vec<(Topic, Slot)>,
    /// What the acknowledgement waits for.
    pub durability: Durability,
}

/// A validated transaction on its way to disk: later transactions see it, nobody outside of the process may.
pub struct Pending {
    first: Stamp,
    published: BoxFuture<'static, Result<()>>,
}

impl Pending {
    /// For engines: stamps start at `first`; `published` ends when the commit is durable and published.
    pub fn new(first: Stamp, published: BoxFuture<'static, Result<()>>) -> Self {
        Self { first, published }
    }

    /// The position given to `slot`.
    pub fn stamp(&self, slot: Slot) -> Stamp {
        Stamp { n: self.first.n + u64::from(slot.index()), ..self.first }
    }

    /// Waits until the commit may be acknowledged.
    ///
    /// # Errors
    /// When the disk failed: it is unknown whether the commit is there after a restart.
    pub async fn durable(self) -> Result<()> {
        self.published.await
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("first", &self.first).finish_non_exhaustive()
    }
}

/// Rows in key order.
pub type Rows = Vec<(Bytes, Bytes)>;

/// The database at one moment.
pub trait Snapshot: Send + Sync + fmt::Debug {
    /// Counts validated commits; what the conflict check compares.
    fn sequence(&self) -> u64;

    /// Positions published at this moment.
    fn positions(&self) -> &Positions;

    /// One row.
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>>>;

    /// Many rows, in the order asked for.
    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>>>;

    /// At most `limit` rows of `range`, from its end if `reverse`.
    fn page<'a>(&'a self, range: &'a Range, limit: usize, reverse: bool) -> BoxFuture<'a, Result<Rows>>;
}

/// Is told of every published change, in order of position, by the thread that publishes: be quick.
pub trait Observer: Send + Sync {
    /// Before the positions are visible: put into indexes here.
    fn record(&self, changes: &[Announcement]);

    /// After the positions are visible: wake waiters here.
    fn wake(&self, changes: &[Announcement]);
}

/// An ordered key-value store with snapshots and validated commits.
pub trait Engine: Send + Sync + fmt::Debug {
    /// Who gives the positions of this engine.
    fn writer(&self) -> WriterId;

    /// The newest state that is durable and published: what may leave the process.
    fn durable(&self) -> Arc<dyn Snapshot>;

    /// The newest validated state: what transactions read.
    fn validated(&self) -> Arc<dyn Snapshot>;

    /// Validates `commit` and makes it visible to later transactions.
    ///
    /// The future answers [`crate::Error::Conflict`] if a key in `reads` changed since `begun`; then nothing is written.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Pending>>;

    /// Adds an observer of everything published from now on.
    fn observe(&self, observer: Arc<dyn Observer>);

    /// Gives the space of removed rows in `range` back.
    fn reclaim<'a>(&'a self, range: &'a Range) -> BoxFuture<'a, Result<()>>;
}
