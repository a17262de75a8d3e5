//! The engine that keeps everything in memory, for tests. Several writers may share one store.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use imbl::OrdMap;
use parking_lot::{Mutex, RwLock};

use crate::{
    Announcement, Error, Positions, Range, Result, Stamp, WriterId,
    conflict::Recent,
    engine::{Commit, Engine, Observer, Pending, Rows, Snapshot, WriteOp},
};

/// A store that several [`Memory`] engines share, as nodes share a database.
#[derive(Debug, Clone, Default)]
pub struct Store(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Apart from `state`, so that observers may look at what is published.
    published: RwLock<Arc<Moment>>,
}

#[derive(Debug, Default)]
struct State {
    rows: OrdMap<Bytes, Bytes>,
    sequence: u64,
    recent: Recent,
    positions: Positions,
}

/// One writer on a [`Store`].
pub struct Memory {
    store: Store,
    writer: WriterId,
    observers: RwLock<Vec<Arc<dyn Observer>>>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl Memory {
    /// An engine with a store of its own.
    pub fn new() -> Arc<Self> {
        Self::on(&Store::default(), WriterId(1))
    }

    /// Another writer on `store`.
    pub fn on(store: &Store, writer: WriterId) -> Arc<Self> {
        Arc::new(Self { store: store.clone(), writer, observers: RwLock::default() })
    }
}

#[derive(Debug, Default)]
struct Moment {
    rows: OrdMap<Bytes, Bytes>,
    sequence: u64,
    positions: Positions,
}

impl Snapshot for Moment {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn positions(&self) -> &Positions {
        &self.positions
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>>> {
        ready(Ok(self.rows.get(key).cloned())).boxed()
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>>> {
        ready(Ok(keys.iter().map(|key| self.rows.get(key.as_slice()).cloned()).collect())).boxed()
    }

    fn page<'a>(&'a self, range: &'a Range, limit: usize, reverse: bool) -> BoxFuture<'a, Result<Rows>> {
        if range.start >= range.end {
            return ready(Ok(Vec::new())).boxed();
        }
        let span = (
            std::ops::Bound::Included(Bytes::copy_from_slice(&range.start)),
            std::ops::Bound::Excluded(Bytes::copy_from_slice(&range.end)),
        );
        let rows = self.rows.range(span);
        let own = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
        let rows =
            if reverse { rows.rev().take(limit).map(own).collect() } else { rows.take(limit).map(own).collect() };
        ready(Ok(rows)).boxed()
    }
}

impl State {
    fn moment(&self) -> Arc<Moment> {
        Arc::new(Moment { rows: self.rows.clone(), sequence: self.sequence, positions: self.positions.clone() })
    }

    fn apply(&mut self, commit: &mut Commit, first: Stamp) {
        for range in commit.cleared.iter().filter(|range| range.start < range.end) {
            let gone: Vec<_> = self
                .rows
                .range(Bytes::copy_from_slice(&range.start)..Bytes::copy_from_slice(&range.end))
                .map(|(key, _)| key.clone())
                .collect();
            for key in gone {
                self.rows.remove(&key);
            }
        }
        for put in std::mem::take(&mut commit.stamped) {
            let (key, value) = put.resolve(first);
            commit.writes.insert(key, WriteOp::Put(value.into()));
        }
        for (key, op) in &commit.writes {
            match op {
                WriteOp::Put(value) => self.rows.insert(Bytes::copy_from_slice(key), value.clone()),
                WriteOp::Delete => self.rows.remove(key.as_slice()),
            };
        }
        self.recent.record(self.sequence, commit.writes.keys().map(Vec::as_slice), &commit.cleared);
    }
}

impl Engine for Memory {
    fn writer(&self) -> WriterId {
        self.writer
    }

    fn durable(&self) -> Arc<dyn Snapshot> {
        Arc::clone(&*self.store.0.published.read()) as Arc<dyn Snapshot>
    }

    fn validated(&self) -> Arc<dyn Snapshot> {
        self.store.0.state.lock().moment()
    }

    fn commit(&self, mut commit: Commit) -> BoxFuture<'_, Result<Pending>> {
        let observers = self.observers.read().clone();
        let mut state = self.store.0.state.lock();
        if state.recent.conflicts(&commit) {
            return ready(Err(Error::Conflict)).boxed();
        }
        state.sequence += 1;
        let first = Stamp { writer: self.writer, n: state.positions.of(self.writer) + 1 };
        state.apply(&mut commit, first);
        let changes: Vec<_> = commit
            .topics
            .drain(..)
            .map(|(topic, slot)| Announcement { topic, stamp: Stamp { n: first.n + u64::from(slot.index()), ..first } })
            .collect();
        observers.iter().for_each(|observer| observer.record(&changes));
        state.positions.advance(self.writer, first.n + u64::from(commit.stamps) - 1);
        *self.store.0.published.write() = state.moment();
        drop(state);
        observers.iter().for_each(|observer| observer.wake(&changes));
        ready(Ok(Pending::new(first, ready(Ok(())).boxed()))).boxed()
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.observers.write().push(observer);
    }

    fn reclaim<'a>(&'a self, _range: &'a Range) -> BoxFuture<'a, Result<()>> {
        ready(Ok(())).boxed()
    }
}
