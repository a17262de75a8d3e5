//! The tables of this crate; ids from 0x0A00.

use bytes::Bytes;
use kv::{Positions, Table, TableInfo};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

/// Up to where in the stream an application service, by its id, has got everything.
pub const CURSORS: Table<String, Cursor> = Table::new(0x0A00, "appservice.cursors", 1);
/// The transaction that an application service is being sent and has not acknowledged.
pub const IN_FLIGHT: Table<String, InFlight> = Table::new(0x0A01, "appservice.in_flight", 1);

/// Where an application service stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Up to here events, and changes of devices, were looked at.
    pub upto: Positions,
}

/// A transaction on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The transaction's id.
    pub id: String,
    /// What is sent.
    pub body: Bytes,
    /// Where the application service stands when it has it.
    pub upto: Positions,
    /// Up to where devices have their messages then.
    pub mail: Vec<(OwnedUserId, OwnedDeviceId, Positions)>,
}

kv::value!(Cursor, InFlight);

/// Every table of this crate.
pub const ALL: &[TableInfo] = &[CURSORS.info(), IN_FLIGHT.info()];
