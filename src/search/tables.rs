//! The tables of this crate; ids from 0x0900.

use kv::{Positions, Table, TableInfo};
use room::{EventNum, RoomNum};
use serde::{Deserialize, Serialize};

/// Events by a word in one of their fields.
pub const WORDS: Table<(RoomNum, u8, String, EventNum), Posting> = Table::new(0x0900, "search.words", 1);
/// The words of an event, so that they can be removed.
pub const TEXTS: Table<(RoomNum, EventNum), Text> = Table::new(0x0901, "search.texts", 1);
/// The message that an event gave a new text.
pub const EDITED: Table<(RoomNum, EventNum), EventNum> = Table::new(0x0903, "search.edited", 1);
/// Where the walk stands.
pub const WALKED: Table<(), Walked> = Table::new(0x0902, "search.walked", 1);

/// Every table of this crate.
pub const ALL: &[TableInfo] = &[WORDS.info(), TEXTS.info(), EDITED.info(), WALKED.info()];

/// Where words stand. Client-server API, `POST /search`: `keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    /// `content.body` of `m.room.message`.
    Body,
    /// `content.name` of `m.room.name`.
    Name,
    /// `content.topic` of `m.room.topic`.
    Topic,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Body, Self::Name, Self::Topic];

    /// As it stands in keys.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// A word in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// When the event was sent, as its server says, in milliseconds since the Unix epoch.
    pub sent: u64,
    /// How often the word is in it.
    pub times: u16,
    /// How many words the event has.
    pub length: u16,
}

/// The words of an event, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Where they stand.
    pub field: Field,
    /// Which.
    pub words: Vec<String>,
}

/// Up to where the stream of all rooms was indexed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walked {
    /// The newest position.
    pub upto: Positions,
}

kv::value!(Posting, Text, Walked);
