use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::{
    Encode, EncodePrefix, Range, Read, Result, Slot, Stamp, Table, Topic, Value,
    engine::{Commit, Durability, Engine, Pending, Rows, Snapshot, StampedPut, WriteOp},
};

/// A transaction: reads a snapshot and its own writes, and commits all of it or nothing.
///
/// Rows read with [`Read::get`] and [`Read::has`] are decisions: the commit answers
/// [`crate::Error::Conflict`] if one of them changed. [`Read::peek`], [`Read::get_many`] and scans are not.
/// Stamped writes are not seen by the transaction's own reads, since their keys are not known yet.
#[derive(Debug)]
pub struct Tx {
    engine: Arc<dyn Engine>,
    base: Arc<dyn Snapshot>,
    decided: Mutex<HashSet<Vec<u8>>>,
    commit: Commit,
}

impl Tx {
    pub(crate) fn new(engine: Arc<dyn Engine>) -> Self {
        let base = engine.validated();
        let commit = Commit { begun: base.sequence(), ..Commit::default() };
        Self { engine, base, decided: Mutex::default(), commit }
    }

    /// Lets the acknowledgement not wait for the disk.
    #[must_use]
    pub fn relaxed(mut self) -> Self {
        self.commit.durability = Durability::Relaxed;
        self
    }

    /// Writes a row.
    pub fn put<K, V: Value>(&mut self, table: &Table<K, V>, key: impl Encode<K>, value: &V) {
        let key = table.key_buf(&key);
        let value = table.encode_value(value);
        if key.slots.is_empty() {
            self.write(key.bytes, WriteOp::Put(value.into()));
        } else {
            self.commit.stamped.push(StampedPut { key, value, value_slot: None });
        }
    }

    /// Writes a row whose value begins with the position of `slot`.
    pub fn put_stamped<K, V: Value>(
        &mut self,
        table: &Table<K, crate::Stamped<V>>,
        key: impl Encode<K>,
        slot: Slot,
        value: V,
    ) {
        let key = table.key_buf(&key);
        // Own reads of the key see position 0 of this writer until the commit.
        let at = Stamp { writer: self.engine.writer(), n: 0 };
        let value = table.encode_value(&crate::Stamped { at, value });
        if key.slots.is_empty() {
            self.commit.writes.insert(key.bytes.clone(), WriteOp::Put(value.clone().into()));
        }
        self.commit.stamped.push(StampedPut { key, value, value_slot: Some((1, slot)) });
    }

    /// Removes a row.
    pub fn delete<K, V>(&mut self, table: &Table<K, V>, key: impl Encode<K>) {
        self.write(table.key(&key), WriteOp::Delete);
    }

    /// Writes in place of what this transaction wrote to `key` before, stamped or not.
    fn write(&mut self, key: Vec<u8>, op: WriteOp) {
        // A stamped write to a known key stands among the others too, so most writes need not look for one.
        if self.commit.writes.contains_key(&key) {
            self.commit.stamped.retain(|put| put.key.bytes != key || !put.key.slots.is_empty());
        }
        self.commit.writes.insert(key, op);
    }

    /// Removes all rows under `prefix` that are there, also those written by this transaction so far.
    pub fn clear<K, V>(&mut self, table: &Table<K, V>, prefix: &impl EncodePrefix<K>) {
        self.clear_range(table.under(prefix));
    }

    /// Removes all rows of `range`.
    pub fn clear_range(&mut self, range: Range) {
        self.commit.writes.retain(|key, _| !range.contains(key));
        self.commit.stamped.retain(|put| !range.contains(&put.key.bytes));
        self.commit.cleared.push(range);
    }

    /// A position in the stream, known after the commit.
    pub fn stamp(&mut self) -> Slot {
        let slot = Slot(self.commit.stamps);
        self.commit.stamps += 1;
        slot
    }

    /// Tells observers of `topic` when `slot` is published.
    pub fn announce(&mut self, topic: Topic, slot: Slot) {
        self.commit.topics.push((topic, slot));
    }

    /// Validates the transaction and makes it visible to later ones, without waiting for the disk.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when a decision no longer holds; nothing is written then.
    pub async fn submit(mut self) -> Result<Pending> {
        self.commit.reads = std::mem::take(&mut *self.decided.lock()).into_iter().collect();
        self.engine.commit(self.commit).await
    }

    /// Commits and waits until the result may be acknowledged. That is worth it also for a transaction that has written
    /// nothing: what it has read may not be durable yet, and an answer that rests on it must wait.
    ///
    /// # Errors
    /// As [`Tx::submit`], or when the disk fails.
    pub async fn commit(self) -> Result<()> {
        self.submit().await?.durable().await
    }

    /// The own write to `key`; `Some(None)` if this transaction removed it.
    fn own(&self, key: &[u8]) -> Option<Option<Bytes>> {
        match self.commit.writes.get(key) {
            Some(WriteOp::Put(value)) => Some(Some(value.clone())),
            Some(WriteOp::Delete) => Some(None),
            None => self.commit.cleared.iter().any(|range| range.contains(key)).then_some(None),
        }
    }

    /// Own puts in `range`, in the order asked for.
    fn own_puts(&self, range: &Range, reverse: bool) -> Vec<(Bytes, Bytes)> {
        if range.start >= range.end {
            return Vec::new();
        }
        let puts = self.commit.writes.range(range.start.clone()..range.end.clone());
        let mut rows: Vec<_> = puts
            .filter_map(|(key, op)| match op {
                WriteOp::Put(value) => Some((Bytes::copy_from_slice(key), value.clone())),
                WriteOp::Delete => None,
            })
            .collect();
        if reverse {
            rows.reverse();
        }
        rows
    }

    /// The first `limit` rows of `range` as this transaction sees it.
    async fn merged(&self, range: &Range, limit: usize, reverse: bool) -> Result<Rows> {
        let own = self.own_puts(range, reverse);
        if own.is_empty() && self.commit.cleared.is_empty() && self.commit.writes.is_empty() {
            return self.base.page(range, limit, reverse).await;
        }
        let mut below = range.clone();
        let mut stored = Vec::new();
        while stored.len() < limit {
            let page = self.base.page(&below, limit, reverse).await?;
            let end = page.len() < limit;
            if let Some((last, _)) = page.last() {
                if reverse {
                    below.end = last.to_vec();
                } else {
                    below.start = [last, [0].as_slice()].concat();
                }
            }
            stored.extend(page.into_iter().filter(|(key, _)| self.own(key).is_none()));
            if end {
                break;
            }
        }
        stored.extend(own);
        stored.sort_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
        stored.truncate(limit);
        Ok(stored)
    }
}

impl Read for Tx {
    fn is_pristine(&self) -> bool {
        self.commit.writes.is_empty() && self.commit.cleared.is_empty()
    }

    fn raw_get(&self, key: Vec<u8>, decides: bool) -> BoxFuture<'_, Result<Option<Bytes>>> {
        Box::pin(async move {
            if let Some(own) = self.own(&key) {
                return Ok(own);
            }
            let row = self.base.get(&key).await?;
            if decides {
                self.decided.lock().insert(key);
            }
            Ok(row)
        })
    }

    fn raw_multi_get(&self, keys: Vec<Vec<u8>>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>>> {
        Box::pin(async move {
            let mut rows = self.base.multi_get(&keys).await?;
            for (key, row) in keys.iter().zip(&mut rows) {
                if let Some(own) = self.own(key) {
                    *row = own;
                }
            }
            Ok(rows)
        })
    }

    fn raw_page<'a>(&'a self, range: &'a Range, limit: usize, reverse: bool) -> BoxFuture<'a, Result<Rows>> {
        Box::pin(self.merged(range, limit, reverse))
    }
}
