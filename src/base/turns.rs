//! Who comes first, when several want the same thing.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A line for each key that somebody holds or waits for, served in order of arrival. Lines of different keys never
/// wait for each other. Cheap to clone.
#[derive(Debug)]
pub struct Turns<K: Eq + Hash> {
    at_once: usize,
    waiting: usize,
    lines: Lines<K>,
}

type Lines<K> = Arc<Mutex<HashMap<K, Line>>>;

#[derive(Debug)]
struct Line {
    /// Served or waiting.
    present: usize,
    free: Arc<Semaphore>,
}

/// A place in the line of a key.
#[derive(Debug)]
struct Place<K: Eq + Hash> {
    key: K,
    lines: Lines<K>,
}

/// It is the holder's turn until this is dropped.
#[derive(Debug)]
pub struct Turn<K: Eq + Hash> {
    // In this order: who comes next finds the line as it is.
    _permit: OwnedSemaphorePermit,
    _place: Place<K>,
}

impl<K: Eq + Hash> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self { at_once: self.at_once, waiting: self.waiting, lines: self.lines.clone() }
    }
}

impl<K: Eq + Hash> Default for Turns<K> {
    /// One at a time for each key, and any number wait.
    fn default() -> Self {
        Self::new(1, usize::MAX)
    }
}

impl<K: Eq + Hash> Turns<K> {
    /// At most `at_once` are served for each key, while at most `waiting` wait.
    #[must_use]
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self { at_once: at_once.max(1), waiting, lines: Arc::default() }
    }
}

impl<K: Eq + Hash + Clone> Turns<K> {
    /// Waits for a turn; `None` when too many wait already, which cannot be where any number may.
    pub async fn of(&self, key: K) -> Option<Turn<K>> {
        let (place, free) = self.enter(key)?;
        let permit = free.acquire_owned().await.ok()?;
        Some(Turn { _permit: permit, _place: place })
    }

    fn enter(&self, key: K) -> Option<(Place<K>, Arc<Semaphore>)> {
        let mut lines = self.lines.lock();
        let line = lines
            .entry(key.clone())
            .or_insert_with(|| Line { present: 0, free: Arc::new(Semaphore::new(self.at_once)) });
        if line.present >= self.at_once.saturating_add(self.waiting) {
            return None;
        }
        line.present += 1;
        Some((Place { key, lines: self.lines.clone() }, line.free.clone()))
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(&self.key) {
            line.present = line.present.saturating_sub(1);
            if line.present == 0 {
                lines.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::BoxFuture};

    use super::*;

    fn waiting(turns: &Turns<u8>) -> BoxFuture<'static, Option<Turn<u8>>> {
        let turns = turns.clone();
        async move { turns.of(1).await }.boxed()
    }

    #[test]
    fn who_waits_is_let_in_when_another_goes_and_the_rest_is_refused() {
        let turns = Turns::new(1, 1);
        let first = waiting(&turns).now_or_never().flatten();
        assert!(first.is_some());
        let mut second = waiting(&turns);
        assert!((&mut second).now_or_never().is_none());
        assert!(matches!(waiting(&turns).now_or_never(), Some(None)));
        drop(first);
        assert!(second.now_or_never().flatten().is_some());
    }

    #[test]
    fn keys_do_not_wait_for_each_other() {
        let turns = Turns::default();
        let _first = waiting(&turns).now_or_never().flatten().unwrap();
        assert!(turns.of(2).now_or_never().flatten().is_some());
    }

    #[test]
    fn a_key_that_nobody_wants_is_forgotten() {
        let turns = Turns::default();
        let first = waiting(&turns).now_or_never().flatten();
        let mut gone = waiting(&turns);
        assert!((&mut gone).now_or_never().is_none());
        drop((gone, first));
        assert!(turns.lines.lock().is_empty());
    }
}
