//! The tables of the queue, from 0x0810 to 0x082F.

use base::Millis;
use bytes::Bytes;
use kv::{Positions, Stamp, Table, TableInfo};
use room::{EventNum, EventRef, RoomNum};
use ruma::OwnedServerName;
use serde::{Deserialize, Serialize};

/// How far the stream of all rooms was walked.
pub const WALKED: Table<(), Walked> = Table::new(0x0810, "federation.walked", 1);
/// Events for other servers, by room and their number in the order in which the walk met them.
pub const OUTGOING: Table<(RoomNum, u64), Outgoing> = Table::new(0x0811, "federation.outgoing", 1);
/// Other servers that are in a room where the walk stands, with the number of the first event for them.
pub const PRESENT: Table<(RoomNum, OwnedServerName), u64> = Table::new(0x0812, "federation.present", 1);
/// Which events of a room are for a server: from the number in the key to that in the value, both included;
/// [`OPEN`] while the server is in the room.
pub const STAYS: Table<(OwnedServerName, RoomNum, u64), u64> = Table::new(0x0813, "federation.stays", 1);
/// Destinations that may have to get events: everything up to this number is acknowledged or not for them. One
/// without a row has got everything up to where the walk stands.
pub const CURSORS: Table<OwnedServerName, u64> = Table::new(0x0814, "federation.cursors", 1);
/// The transaction that a destination is being sent and has not acknowledged.
pub const IN_FLIGHT: Table<OwnedServerName, InFlight> = Table::new(0x0815, "federation.in_flight", 1);
/// Single events for a server that is not in the room.
pub const SINGLES: Table<(OwnedServerName, u64), EventRef> = Table::new(0x0816, "federation.singles", 1);
/// Messages that are no events and must arrive, in the order in which they were handed in.
pub const EDUS: Table<(OwnedServerName, Stamp), String> = Table::new(0x0817, "federation.edus", 1);
/// Destinations that failed last time.
pub const FAILING: Table<OwnedServerName, Failing> = Table::new(0x0818, "federation.failing", 1);

/// The end of a stay that has not ended.
pub const OPEN: u64 = u64::MAX;

/// Where the walk stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walked {
    /// Up to here the stream was walked.
    pub upto: Positions,
    /// The number of the newest outgoing event.
    pub number: u64,
}

/// An event for the servers in its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The event.
    pub event: EventNum,
    /// A server in the room that has it already.
    pub except: Option<OwnedServerName>,
}

/// A transaction on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The transaction's id.
    pub id: String,
    /// What is sent.
    pub body: Bytes,
    /// How many events are in it.
    pub pdus: u32,
    /// How many other messages are in it.
    pub messages: u32,
    /// Where the destination stands when it has it; `None` if no events are in it.
    pub upto: Option<u64>,
    /// Rows of [`EDUS`] that are in it.
    pub edus: Vec<Stamp>,
    /// Rows of [`SINGLES`] that are in it.
    pub singles: Vec<u64>,
}

impl InFlight {
    /// Whether there is something in it that must arrive.
    pub fn is_durable(&self) -> bool {
        self.pdus > 0 || !self.edus.is_empty()
    }
}

/// What went wrong with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Failures one after another.
    pub times: u32,
    /// When the first of them was, in milliseconds since the epoch.
    pub since: Millis,
    /// When the last of them was.
    pub last: Millis,
    /// When it is tried again.
    pub again: Millis,
}

kv::value!(Walked, Outgoing, InFlight, Failing);

/// All of them.
pub const ALL: &[TableInfo] = &[
    WALKED.info(),
    OUTGOING.info(),
    PRESENT.info(),
    STAYS.info(),
    CURSORS.info(),
    IN_FLIGHT.info(),
    SINGLES.info(),
    EDUS.info(),
    FAILING.info(),
];
