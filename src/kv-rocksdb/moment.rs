//! The database at one moment, read without blocking the async threads.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use kv::{Positions, Range, Result, Rows, Snapshot};
use tokio::sync::Semaphore;

use crate::{
    counters::{Tally, add},
    held::{Found, Held, Reach},
    open::engine_error,
};

/// Reads that may wait for the disk at a time: enough to keep an SSD busy, far below tokio's 512 threads.
const READERS: usize = 32;

/// From so many rows on it pays to look whether they are neighbours.
const NEIGHBOURS: usize = 16;

/// Where reads go that the cache cannot answer.
#[derive(Debug, Clone)]
pub struct Pool {
    readers: Arc<Semaphore>,
    tally: Arc<Tally>,
}

impl Pool {
    pub fn new(tally: Arc<Tally>) -> Self {
        Self { readers: Arc::new(Semaphore::new(READERS)), tally }
    }

    async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, rocksdb::Error> + Send + 'static,
    ) -> Result<T> {
        add(&self.tally.misses, 1);
        let lost = |error: &dyn fmt::Display| kv::Error::Engine(error.to_string());
        let _permit = self.readers.acquire().await.map_err(|error| lost(&error))?;
        tokio::task::spawn_blocking(read).await.map_err(|error| lost(&error))?.map_err(engine_error)
    }
}

/// A snapshot with its place in the order of commits.
pub struct Moment {
    pub held: Arc<Held>,
    pub sequence: u64,
    pub positions: Positions,
    pub pool: Pool,
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment")
            .field("sequence", &self.sequence)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl Moment {
    async fn get_from_disk(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let (held, key) = (Arc::clone(&self.held), key.to_vec());
        let row = self.pool.run(move || held.get(&key, Reach::Disk)).await?;
        match row {
            Found::Yes(row) => Ok(row),
            Found::Miss => Err(kv::Error::Engine("a read from disk stayed incomplete".into())),
        }
    }

    /// The rows under `keys` if they are neighbours and in the cache.
    fn neighbours(&self, keys: &[Vec<u8>]) -> Result<Option<Vec<Option<Bytes>>>> {
        if keys.len() < NEIGHBOURS {
            return Ok(None);
        }
        let mut order: Vec<_> = keys.iter().map(Vec::as_slice).zip(0..).collect();
        order.sort_unstable();
        let close = order.windows(2).filter(|pair| matches!(pair, [(a, _), (b, _)] if are_close(a, b))).count();
        if close * 4 < keys.len() * 3 {
            return Ok(None);
        }
        let sorted: Vec<_> = order.iter().map(|(key, _)| *key).collect();
        let Found::Yes(found) = self.held.walk(&sorted).map_err(engine_error)? else { return Ok(None) };
        let mut rows = vec![None; keys.len()];
        for ((_, at), row) in order.into_iter().zip(found) {
            if let Some(place) = rows.get_mut::<usize>(at) {
                *place = row;
            }
        }
        Ok(Some(rows))
    }

    /// Reads the rows that are still missing at `holes`.
    async fn fill(
        &self,
        keys: &[Vec<u8>],
        mut rows: Vec<Option<Bytes>>,
        holes: Vec<usize>,
    ) -> Result<Vec<Option<Bytes>>> {
        let held = Arc::clone(&self.held);
        let wanted: Vec<_> = holes.iter().filter_map(|at| keys.get(*at).cloned()).collect();
        let found = self.pool.run(move || held.multi_get(&wanted)).await?;
        for (at, row) in holes.into_iter().zip(found) {
            if let Some(place) = rows.get_mut(at) {
                *place = row;
            }
        }
        Ok(rows)
    }

    /// Reads on from where the cache ended.
    async fn rest(&self, range: &Range, limit: usize, reverse: bool, mut rows: Rows) -> Result<Rows> {
        let mut range = range.clone();
        if let Some((last, _)) = rows.last() {
            if reverse {
                range.end = last.to_vec();
            } else {
                range.start = [last, [0].as_slice()].concat();
            }
        }
        let held = Arc::clone(&self.held);
        self.pool
            .run(move || {
                if range.start < range.end {
                    held.page(&range, limit, reverse, Reach::Disk, &mut rows)?;
                }
                Ok(rows)
            })
            .await
    }
}

/// Whether two keys differ in their last byte alone: of numbered rows, such as a room's events, few lie between them.
fn are_close(a: &[u8], b: &[u8]) -> bool {
    matches!((a, b), ([a @ .., _], [b @ .., _]) if a == b)
}

impl Snapshot for Moment {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn positions(&self) -> &Positions {
        &self.positions
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>>> {
        match self.held.get(key, Reach::Cache) {
            Ok(Found::Yes(row)) => ready(Ok(row)).boxed(),
            Ok(Found::Miss) => self.get_from_disk(key).boxed(),
            Err(error) => ready(Err(engine_error(error))).boxed(),
        }
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>>> {
        match self.neighbours(keys) {
            Ok(None) => {}
            Ok(Some(rows)) => return ready(Ok(rows)).boxed(),
            Err(error) => return ready(Err(error)).boxed(),
        }
        let mut rows = Vec::with_capacity(keys.len());
        let mut holes = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            match self.held.get(key, Reach::Cache) {
                Ok(Found::Yes(row)) => rows.push(row),
                Ok(Found::Miss) => {
                    holes.push(at);
                    rows.push(None);
                }
                Err(error) => return ready(Err(engine_error(error))).boxed(),
            }
        }
        if holes.is_empty() { ready(Ok(rows)).boxed() } else { self.fill(keys, rows, holes).boxed() }
    }

    fn page<'a>(&'a self, range: &'a Range, limit: usize, reverse: bool) -> BoxFuture<'a, Result<Rows>> {
        let mut rows = Vec::new();
        if range.start >= range.end || limit == 0 {
            return ready(Ok(rows)).boxed();
        }
        match self.held.page(range, limit, reverse, Reach::Cache, &mut rows) {
            Ok(Found::Yes(())) => ready(Ok(rows)).boxed(),
            Ok(Found::Miss) => self.rest(range, limit, reverse, rows).boxed(),
            Err(error) => ready(Err(engine_error(error))).boxed(),
        }
    }
}
