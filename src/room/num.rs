//! Numbers that stand for rooms, events and places, so that keys stay short.

use kv::codec::{Encode, KeyBuf, KeyPart};
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl KeyPart for $name {
            fn decode(input: &mut &[u8]) -> Option<Self> {
                u64::decode(input).map(Self)
            }
        }

        impl Encode<$name> for $name {
            fn encode(&self, out: &mut KeyBuf) {
                self.0.encode(out);
            }
        }

        kv::value!($name);
    };
}

number! {
    /// A room of this database. Leased in blocks, never used twice.
    RoomNum
}
number! {
    /// An event of its room, counted from 1 in the order in which this database met it.
    EventNum
}

/// Where an event stands in the timeline of its room.
///
/// A timeline is a row of segments with gaps between them. `rank` orders the segments and leaves room for new
/// ones in between; `ordinal` orders the events of one segment, counts up as the room goes on and below zero
/// as history is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Orders segments.
    pub rank: u64,
    /// Orders events within a segment.
    pub ordinal: i64,
}

impl Place {
    /// Before the first event of a room that this server has known from the start.
    pub const START: Self = Self { rank: 1 << 63, ordinal: 0 };
    /// Before every event.
    pub const MIN: Self = Self { rank: 0, ordinal: i64::MIN };
    /// After every event.
    pub const MAX: Self = Self { rank: u64::MAX, ordinal: i64::MAX };

    /// The place after this one in the same segment.
    #[must_use]
    pub fn next(self) -> Self {
        Self { ordinal: self.ordinal.saturating_add(1), ..self }
    }

    /// The place before this one in the same segment.
    #[must_use]
    pub fn prev(self) -> Self {
        Self { ordinal: self.ordinal.saturating_sub(1), ..self }
    }
}

impl KeyPart for Place {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        Some(Self { rank: u64::decode(input)?, ordinal: i64::decode(input)? })
    }
}

impl Encode<Place> for Place {
    fn encode(&self, out: &mut KeyBuf) {
        self.rank.encode(out);
        self.ordinal.encode(out);
    }
}
