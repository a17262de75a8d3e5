//! The tables of this crate; ids from 0x0500.

use kv::{Stamp, Stamped, Table, TableInfo};
use room::{EventNum, Place, RoomNum};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{
    subscriptions::{Subscription, ThreadKey},
    tally::Sums,
};

/// Running sums of events by room, scope (see [`crate::ledger::Scope`]), thread root (0: the room) and place: the
/// difference of two rows is what happened in between.
pub const SUMS: Table<(RoomNum, String, EventNum, Place), Sums> = Table::new(0x0500, "push.sums", 1);
/// Events that were redacted after they were summed, under the keys of their rows in [`SUMS`].
pub const REDACTED: Table<(RoomNum, String, EventNum, Place), Sums> = Table::new(0x0501, "push.redacted", 1);
/// Since which place a local member has been in a room without a break.
pub const JOINED: Table<(RoomNum, OwnedUserId), At> = Table::new(0x0502, "push.joined", 1);
/// Rules of local members that have to be tried on each event of a room, as JSON.
pub const WATCHES: Table<(RoomNum, OwnedUserId), String> = Table::new(0x0503, "push.watches", 1);
/// The local members to whom an event is more than to the others.
pub const CONCERNED: Table<(RoomNum, EventNum), Vec<String>> = Table::new(0x0504, "push.concerned", 1);
/// The place of a thread's newest event.
pub const THREADS: Table<(RoomNum, EventNum), At> = Table::new(0x0505, "push.threads", 1);
/// Threads by the place of their newest event.
pub const THREAD_LIST: Table<(RoomNum, Place, EventNum), ()> = Table::new(0x0506, "push.thread_list", 1);
/// How far a local member has read in a thread by writing there.
pub const WRITTEN: Table<(RoomNum, OwnedUserId, EventNum), At> = Table::new(0x050A, "push.written", 1);
/// What there is of a local member since they joined, see [`Traces::UNKNOWN`] for those without a row.
pub const TRACES: Table<(RoomNum, OwnedUserId), Traces> = Table::new(0x050B, "push.traces", 1);

/// Pushers by user, `app_id` and `pushkey`.
pub const PUSHERS: Table<(OwnedUserId, String, String), PusherRow> = Table::new(0x0510, "push.pushers", 1);
/// Whose pushers have this `app_id` and `pushkey`.
pub const PUSHKEYS: Table<(String, String, OwnedUserId), ()> = Table::new(0x0511, "push.pushkeys", 1);

/// Whether users follow threads: by user, room and root.
pub const SUBSCRIPTIONS: Table<(OwnedUserId, RoomNum, EventNum), Stamped<Subscription>> =
    Table::new(0x0520, "push.subscriptions", 1);
/// The threads of which a user changed that, in stream order, each once.
pub const SUBSCRIPTION_LOG: Table<(OwnedUserId, Stamp), ThreadKey> = Table::new(0x0521, "push.subscription_log", 1);

/// The names of local members in their rooms, in lower case; empty for none.
pub const NAMES: Table<(RoomNum, OwnedUserId), String> = Table::new(0x0507, "push.names", 1);
/// Local members by the first words of their localparts and names.
pub const NAMED: Table<(RoomNum, String, OwnedUserId), ()> = Table::new(0x0508, "push.named", 1);
/// How many rows of [`NAMED`] begin with a word.
pub const FIRST_WORDS: Table<(RoomNum, String), u32> = Table::new(0x0509, "push.first_words", 1);

/// A pusher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PusherRow {
    /// The device that set it and with which it goes.
    pub device: OwnedDeviceId,
    /// As the client set it, as JSON.
    pub json: String,
}
kv::value!(PusherRow);

/// How late in a room something of a member's stands: what a count need not look for, and how far they have read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// The newest message that they wrote in the main timeline: they have read what was before it.
    pub written: Option<Place>,
    /// The newest event of any kind that they sent there.
    pub sent: Option<Place>,
    /// The newest event that was more to them than to the others.
    pub concerned: Option<Place>,
}
kv::value!(Traces);

impl Traces {
    /// Of who joined before traces were kept: anything may be there.
    pub const UNKNOWN: Self = Self { written: None, sent: Some(Place::MAX), concerned: Some(Place::MAX) };
}

/// A place as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct At(pub Place);
kv::value!(At);

/// Every table of this crate.
pub const ALL: &[TableInfo] = &[
    SUMS.info(),
    REDACTED.info(),
    JOINED.info(),
    WATCHES.info(),
    CONCERNED.info(),
    THREADS.info(),
    THREAD_LIST.info(),
    WRITTEN.info(),
    TRACES.info(),
    NAMES.info(),
    NAMED.info(),
    FIRST_WORDS.info(),
    PUSHERS.info(),
    PUSHKEYS.info(),
    SUBSCRIPTIONS.info(),
    SUBSCRIPTION_LOG.info(),
];
