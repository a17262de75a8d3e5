//! A RocksDB snapshot that owns its database.

use std::sync::Arc;

use bytes::Bytes;
use kv::{Range, Rows};
use rocksdb::{DB, ErrorKind, ReadOptions, ReadTier};

/// Removed rows that an inline scan passes over at most before it counts as a miss: some 100 µs.
pub const SKIPPED: u64 = 1_000;

/// Rows that [`Held::walk`] passes between two that it wants before it seeks: as long as one seek takes.
const STEPS: usize = 8;

/// How far a read may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Memtables and block cache: never waits for the disk.
    Cache,
    /// The disk too.
    Disk,
}

/// What a read within a [`Reach`] found.
pub enum Found<T> {
    Yes(T),
    /// The answer lies beyond the cache.
    Miss,
}

struct Pinned<'db> {
    cache: ReadOptions,
    disk: ReadOptions,
    snapshot: rocksdb::Snapshot<'db>,
}

self_cell::self_cell!(
    /// Keeps its database open for as long as it lives.
    pub struct Held {
        owner: Arc<DB>,
        #[covariant]
        dependent: Pinned,
    }
);

impl Held {
    /// The database now.
    pub fn take(db: &Arc<DB>) -> Self {
        Self::new(Arc::clone(db), |db| {
            let snapshot = db.snapshot();
            let (mut cache, mut disk) = (ReadOptions::default(), ReadOptions::default());
            cache.set_read_tier(ReadTier::BlockCache);
            cache.set_snapshot(&snapshot);
            disk.set_snapshot(&snapshot);
            Pinned { cache, disk, snapshot }
        })
    }

    /// RocksDB's sequence number.
    pub fn rocks_sequence(&self) -> u64 {
        self.borrow_dependent().snapshot.sequence_number()
    }

    /// One row.
    pub fn get(&self, key: &[u8], reach: Reach) -> Result<Found<Option<Bytes>>, rocksdb::Error> {
        let pinned = self.borrow_dependent();
        let options = if reach == Reach::Cache { &pinned.cache } else { &pinned.disk };
        match self.borrow_owner().get_pinned_opt(key, options) {
            Ok(row) => Ok(Found::Yes(row.map(|row| Bytes::copy_from_slice(&row)))),
            Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Found::Miss),
            Err(error) => Err(error),
        }
    }

    /// Many rows, from the disk.
    pub fn multi_get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>, rocksdb::Error> {
        let rows = self.borrow_dependent().snapshot.multi_get(keys);
        rows.into_iter().map(|row| Ok(row?.map(Bytes::from))).collect()
    }

    /// Rows by ascending `keys` that lie close together, which one iterator passes on its way.
    pub fn walk(&self, keys: &[&[u8]]) -> Result<Found<Vec<Option<Bytes>>>, rocksdb::Error> {
        let mut options = ReadOptions::default();
        options.set_read_tier(ReadTier::BlockCache);
        options.set_max_skippable_internal_keys(SKIPPED);
        let mut iterator = self.borrow_dependent().snapshot.raw_iterator_opt(options);
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let mut steps = 0;
            while rows.is_empty() || iterator.key().is_some_and(|at| at < *key) {
                // The first key is sought, and those after a gap.
                if rows.is_empty() || steps == STEPS {
                    iterator.seek(key);
                    break;
                }
                iterator.next();
                steps += 1;
            }
            match iterator.status() {
                Err(error) if error.kind() == ErrorKind::Incomplete => return Ok(Found::Miss),
                other => other?,
            }
            let row = iterator.item().filter(|(at, _)| at == key);
            rows.push(row.map(|(_, value)| Bytes::copy_from_slice(value)));
        }
        Ok(Found::Yes(rows))
    }

    /// Adds rows of `range` to `rows` until there are `limit`; [`Found::Miss`] when the cache ends before that.
    pub fn page(
        &self,
        range: &Range,
        limit: usize,
        reverse: bool,
        reach: Reach,
        rows: &mut Rows,
    ) -> Result<Found<()>, rocksdb::Error> {
        let mut options = ReadOptions::default();
        if reach == Reach::Cache {
            options.set_read_tier(ReadTier::BlockCache);
            options.set_max_skippable_internal_keys(SKIPPED);
        }
        options.set_iterate_lower_bound(range.start.as_slice());
        options.set_iterate_upper_bound(range.end.as_slice());
        let mut iterator = self.borrow_dependent().snapshot.raw_iterator_opt(options);
        if reverse {
            iterator.seek_to_last();
        } else {
            iterator.seek_to_first();
        }
        while rows.len() < limit
            && let Some((key, value)) = iterator.item()
        {
            rows.push(row(key, value));
            if rows.len() < limit {
                if reverse {
                    iterator.prev();
                } else {
                    iterator.next();
                }
            }
        }
        match iterator.status() {
            Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Found::Miss),
            other => other.map(Found::Yes),
        }
    }
}

/// Key and value in one allocation.
fn row(key: &[u8], value: &[u8]) -> (Bytes, Bytes) {
    let mut both = Bytes::from([key, value].concat());
    let key = both.split_to(key.len());
    (key, both)
}
