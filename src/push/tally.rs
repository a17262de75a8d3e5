//! Events counted by what rules can see of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::defaults::PERSONAL;

/// Which rules an event matches, whatever they then do: all that unread counts need to know of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// The default rules, by their bits (see [`crate::defaults::BITS`]).
    pub defaults: u32,
    /// The user's own rules, by [`crate::custom::Watch::id`].
    pub own: Vec<u64>,
}

impl Signature {
    /// What the event is to users who have nothing to do with it.
    #[must_use]
    pub fn impersonal(&self) -> Self {
        Self { defaults: self.defaults & !PERSONAL, own: Vec::new() }
    }
}

/// How many events there are of each signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(BTreeMap<Signature, u64>);

impl Tally {
    /// Adds events of one signature.
    pub fn add(&mut self, signature: Signature, count: u64) {
        *self.0.entry(signature).or_default() += count;
    }

    /// Takes events away that are in here.
    pub fn subtract(&mut self, other: &Self) {
        for (signature, count) in &other.0 {
            if let Some(mine) = self.0.get_mut(signature) {
                *mine = mine.saturating_sub(*count);
            }
        }
        self.0.retain(|_, count| *count > 0);
    }

    /// The same events as they are to users who have nothing to do with them.
    #[must_use]
    pub fn impersonal(&self) -> Self {
        let mut tally = Self::default();
        self.0.iter().for_each(|(signature, count)| tally.add(signature.impersonal(), *count));
        tally
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The signatures with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&Signature, u64)> {
        self.0.iter().map(|(signature, count)| (signature, *count))
    }
}

/// The events of a room apart by where they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Those of the main timeline.
    pub main: Tally,
    /// Those of threads.
    pub threads: Tally,
}

impl Sums {
    /// Takes events away that are in here.
    pub fn subtract(&mut self, other: &Self) {
        self.main.subtract(&other.main);
        self.threads.subtract(&other.threads);
    }

    /// The same events as they are to users who have nothing to do with them.
    #[must_use]
    pub fn impersonal(&self) -> Self {
        Self { main: self.main.impersonal(), threads: self.threads.impersonal() }
    }

    /// The tally that an event belongs to.
    pub fn part(&mut self, in_thread: bool) -> &mut Tally {
        if in_thread { &mut self.threads } else { &mut self.main }
    }
}

kv::value!(Sums);
