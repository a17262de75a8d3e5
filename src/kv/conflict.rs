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

#[cfg(test)]
mod tests {
    use super::*;

    /// A transaction that began after so many commits and decided on `key`.
    fn reader(begun: u64, key: &[u8]) -> Commit {
        Commit { begun, reads: vec![key.to_vec()], ..Commit::default() }
    }

    fn remembering(capacity: usize, commits: u64) -> Recent {
        let mut recent = Recent::with_capacity(capacity);
        for sequence in 1..=commits {
            recent.record(sequence, std::iter::once(&sequence.to_be_bytes()[..]), &[]);
        }
        recent
    }

    #[test]
    fn who_began_before_what_is_forgotten_conflicts() {
        let recent = remembering(4, 10);
        assert_eq!(recent.changed.len(), 4);
        for begun in 0..=10 {
            assert_eq!(recent.conflicts(&reader(begun, b"never written")), begun < 6, "{begun}");
            assert!(!recent.conflicts(&Commit { begun, ..Commit::default() }), "decided on nothing");
        }
    }

    #[test]
    fn what_is_remembered_conflicts_for_those_who_began_before_it() {
        let recent = remembering(4, 10);
        let of_nine = 9_u64.to_be_bytes();
        assert!(recent.conflicts(&reader(8, &of_nine)));
        assert!(!recent.conflicts(&reader(9, &of_nine)));
    }

    #[test]
    fn a_key_that_changes_often_is_remembered_by_its_last_change() {
        let mut recent = Recent::with_capacity(4);
        for sequence in 1..=9 {
            recent.record(sequence, std::iter::once(b"key".as_slice()), &[]);
        }
        assert!(recent.conflicts(&reader(8, b"key")));
        assert!(!recent.conflicts(&reader(9, b"key")));
    }

    #[test]
    fn cleared_ranges_are_forgotten_too() {
        let mut recent = Recent::with_capacity(64);
        let range = |n: u8| Range { start: vec![n], end: vec![n + 1] };
        for sequence in 1..=5 {
            recent.record(sequence, std::iter::empty(), &[range(sequence.try_into().unwrap())]);
        }
        assert_eq!(recent.cleared.len(), 2);
        assert!(recent.conflicts(&reader(2, b"z")), "one of those that are forgotten could have held it");
        assert!(!recent.conflicts(&reader(3, b"z")));
        assert!(recent.conflicts(&reader(4, &[5, 0])));
    }
}
