//! The conflict check that engines with one process share.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
};

use crate::{Range, engine::Commit};

/// Key changes remembered; a transaction older than the oldest of them conflicts.
const REMEMBERED: usize = 200_000;

/// What recent commits changed.
///
/// Keys are kept as 64-bit hashes: two keys of one hash cost a needless retry, never a missed conflict.
#[derive(Debug)]
pub struct Recent {
    hasher: RandomState,
    changed: HashMap<u64, u64>,
    order: VecDeque<(u64, u64)>,
    cleared: VecDeque<(u64, Range)>,
    floor: u64,
    capacity: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self::with_capacity(REMEMBERED)
    }
}

impl Recent {
    /// Remembers at least `capacity` changed keys.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            changed: HashMap::new(),
            order: VecDeque::new(),
            cleared: VecDeque::new(),
            floor: 0,
            capacity,
        }
    }

    /// Whether something that `commit` decided on changed after it began.
    pub fn conflicts(&self, commit: &Commit) -> bool {
        if commit.reads.is_empty() {
            return false;
        }
        commit.begun < self.floor || commit.reads.iter().any(|key| self.changed_since(key, commit.begun))
    }

    /// Remembers the changes of the commit with this sequence number; call it with every commit, in order.
    pub fn record<'a>(&mut self, sequence: u64, keys: impl Iterator<Item = &'a [u8]>, cleared: &[Range]) {
        for key in keys {
            let hash = self.hasher.hash_one(key);
            self.changed.insert(hash, sequence);
            self.order.push_back((sequence, hash));
        }
        self.cleared.extend(cleared.iter().map(|range| (sequence, range.clone())));
        self.forget();
    }

    fn changed_since(&self, key: &[u8], begun: u64) -> bool {
        self.changed.get(&self.hasher.hash_one(key)).is_some_and(|sequence| *sequence > begun)
            || self
                .cleared
                .iter()
                .rev()
                .take_while(|(sequence, _)| *sequence > begun)
                .any(|(_, range)| range.contains(key))
    }

    fn forget(&mut self) {
        while self.order.len() > self.capacity {
            let Some((sequence, hash)) = self.order.pop_front() else { break };
            self.floor = self.floor.max(sequence);
            if self.changed.get(&hash) == Some(&sequence) {
                self.changed.remove(&hash);
            }
        }
        while self.cleared.len() > self.capacity / 64 + 1 {
            if let Some((sequence, _)) = self.cleared.pop_front() {
                self.floor = self.floor.max(sequence);
            }
        }
    }
}
