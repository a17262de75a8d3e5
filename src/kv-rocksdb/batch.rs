//! From a commit to what RocksDB writes.

use kv::{Commit, Range, Result, Stamp, WriteOp};
use rocksdb::{DB, ErrorKind, ReadOptions, ReadTier, WriteBatch};

use crate::{held::SKIPPED, open::engine_error, wal};

/// Rows of a range that are deleted one by one; a range tombstone burdens every read that passes it.
const ONE_BY_ONE: usize = 64;

/// The batch, and the keys that it puts or deletes.
pub struct Written {
    pub batch: WriteBatch,
    pub keys: Vec<Vec<u8>>,
}

/// Builds the batch of `commit`, whose stamps start at `first`. `durable` is RocksDB's sequence number that is
/// known to be fsynced. Nothing may be written to `db` meanwhile.
///
/// # Errors
/// When reading the rows of a cleared range fails.
pub fn build(db: &DB, commit: &mut Commit, first: Stamp, durable: u64) -> Result<Written> {
    let mut batch = WriteBatch::default();
    batch.put_log_data(wal::mark(durable));
    for range in &commit.cleared {
        clear(db, &mut batch, range)?;
    }
    let mut writes = std::mem::take(&mut commit.writes);
    for put in std::mem::take(&mut commit.stamped) {
        let (key, value) = put.resolve(first);
        writes.insert(key, WriteOp::Put(value.into()));
    }
    let mut keys = Vec::with_capacity(writes.len());
    for (key, op) in writes {
        match op {
            WriteOp::Put(value) => batch.put(&key, value),
            WriteOp::Delete => batch.delete(&key),
        }
        keys.push(key);
    }
    Ok(Written { batch, keys })
}

fn clear(db: &DB, batch: &mut WriteBatch, range: &Range) -> Result<()> {
    if range.start >= range.end {
        return Ok(());
    }
    match few(db, range)? {
        Some(keys) => keys.iter().for_each(|key| batch.delete(key)),
        None => batch.delete_range(&range.start, &range.end),
    }
    Ok(())
}

/// The keys in `range`, if they are few and in the cache.
fn few(db: &DB, range: &Range) -> Result<Option<Vec<Vec<u8>>>> {
    let mut options = ReadOptions::default();
    options.set_read_tier(ReadTier::BlockCache);
    options.set_max_skippable_internal_keys(SKIPPED);
    options.set_iterate_lower_bound(range.start.as_slice());
    options.set_iterate_upper_bound(range.end.as_slice());
    let mut iterator = db.raw_iterator_opt(options);
    iterator.seek_to_first();
    let mut keys = Vec::new();
    while let Some(key) = iterator.key() {
        if keys.len() == ONE_BY_ONE {
            return Ok(None);
        }
        keys.push(key.to_vec());
        iterator.next();
    }
    match iterator.status() {
        Ok(()) => Ok(Some(keys)),
        Err(error) if error.kind() == ErrorKind::Incomplete => Ok(None),
        Err(error) => Err(engine_error(error)),
    }
}
