use serde::{Deserialize, Serialize};

/// Who gives out positions. One node has one writer for the life of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriterId(pub u16);

/// A stream position: the `n`-th of its writer. Totally ordered per writer, never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Who gave it.
    pub writer: WriterId,
    /// Counts up from 1, with holes where a process died.
    pub n: u64,
}

impl Stamp {
    /// Encoded length in keys and values.
    pub const BYTES: usize = 10;
}

/// Stands for a [`Stamp`] that the engine gives at commit: the `n`-th of its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(pub(crate) u32);

impl Slot {
    /// Which of the transaction's stamps this is, from 0.
    pub fn index(self) -> u32 {
        self.0
    }
}

/// Up to where each writer's stream is published: one entry on a single node, sorted by writer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Positions(Vec<(WriterId, u64)>);

impl Positions {
    /// The position of `writer`; 0 if it has published nothing.
    pub fn of(&self, writer: WriterId) -> u64 {
        self.0.iter().find(|(w, _)| *w == writer).map_or(0, |(_, n)| *n)
    }

    /// Whether `stamp` is published.
    pub fn covers(&self, stamp: Stamp) -> bool {
        stamp.n <= self.of(stamp.writer)
    }

    /// Moves `writer` to `n` if that is further.
    pub fn advance(&mut self, writer: WriterId, n: u64) {
        match self.0.binary_search_by_key(&writer, |(w, _)| *w) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = entry.1.max(n);
                }
            }
            Err(at) => self.0.insert(at, (writer, n)),
        }
    }

    /// The writers and their positions.
    pub fn iter(&self) -> impl Iterator<Item = (WriterId, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Whether every writer stands at least where it stands in `other`.
    pub fn reaches(&self, other: &Self) -> bool {
        other.iter().all(|(writer, n)| self.of(writer) >= n)
    }
}

impl FromIterator<(WriterId, u64)> for Positions {
    fn from_iter<I: IntoIterator<Item = (WriterId, u64)>>(entries: I) -> Self {
        let mut positions = Self::default();
        for (writer, n) in entries {
            positions.advance(writer, n);
        }
        positions
    }
}
