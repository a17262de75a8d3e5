//! Bytes that are held because of others: bounded for each of them and for all together.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

/// A number of bytes that many share. Cheap to clone.
#[derive(Debug)]
pub struct Budget<K: Eq + Hash>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K: Eq + Hash> {
    all: usize,
    each: usize,
    used: Mutex<Used<K>>,
}

#[derive(Debug)]
struct Used<K> {
    all: usize,
    by: HashMap<K, usize>,
}

/// What is held because of one of them; given back when it is dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash> {
    budget: Arc<Inner<K>>,
    key: K,
    bytes: usize,
}

impl<K: Eq + Hash> Clone for Budget<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Eq + Hash + Clone> Budget<K> {
    /// At most `all` bytes, and at most `each` because of one key.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Self {
        let used = Mutex::new(Used { all: 0, by: HashMap::new() });
        Self(Arc::new(Inner { all, each, used }))
    }

    /// A share for `key`, of no bytes yet.
    #[must_use]
    pub fn share(&self, key: K) -> Share<K> {
        Share { budget: self.0.clone(), key, bytes: 0 }
    }
}

impl<K: Eq + Hash + Clone> Share<K> {
    /// Takes more bytes; `false` if there are not so many, and none are taken.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let mut used = self.budget.used.lock();
        let (all, own) = (used.all.saturating_add(bytes), used.by.get(&self.key).map_or(bytes, |own| own + bytes));
        if all > self.budget.all || own > self.budget.each {
            return false;
        }
        used.all = all;
        used.by.insert(self.key.clone(), own);
        self.bytes += bytes;
        true
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut used = self.budget.used.lock();
        used.all = used.all.saturating_sub(self.bytes);
        if let Some(own) = used.by.get_mut(&self.key) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                used.by.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gets_a_part_and_all_together_no_more_than_there_is() {
        let budget = Budget::new(10, 6);
        let (mut a, mut more_of_a, mut b) = (budget.share("a"), budget.share("a"), budget.share("b"));
        assert!(a.grow(4) && more_of_a.grow(2) && !more_of_a.grow(1));
        assert!(!b.grow(5) && b.grow(4));
        drop(a);
        assert!(more_of_a.grow(4) && !b.grow(1));
        drop((more_of_a, b));
        assert!(budget.0.used.lock().by.is_empty() && budget.share("c").grow(6));
    }
}
