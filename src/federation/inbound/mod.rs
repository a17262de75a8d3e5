//! What other servers send: parse, verify, fetch what is missing, hand to `room::ingest`. One file per step, each
//! turning one type into the next, so that no step can be skipped.
//!
//! ```text
//! transaction ─ parse ─▶ Raw ─ verify ─▶ Pdu (signatures, hash) ─ room::ingest ─▶ Ingested
//!                                            ▲                       │ Missing
//!                                            └──────── fetch ◀───────┘
//! ```
//! **Invariants**
//! - A PDU fails alone: the transaction is answered with a result for each.
//! - One transaction of a server is worked on at a time.
//! - A server that answers slowly, or not, holds up nobody else: nothing is held while another server is asked that
//!   others would wait for without end.
//! - What a PDU makes us fetch is bounded by [`Effort`].

mod by_time;
#[cfg(test)]
mod cases;
mod edu;
mod effort;
mod error;
mod fetch;
mod history;
mod junk;
mod received;
mod take;
mod transaction;
mod verify;

use base::{Clock, Turns};
use ephemeral::{Presence, Receipts, Typing};
use kv::Db;
use room::Rooms;
use ruma::{OwnedRoomId, OwnedServerName};

use junk::Junk;

pub use effort::Effort;
pub use error::InboundError;
pub use received::AnsweredRow;
pub use transaction::{MAX_TRANSACTION_BYTES, PduResult};
pub use verify::{Checks, Refused};

use crate::{Client, RemoteDevices};

/// Takes in what other servers send. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inbound {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) rooms: Rooms,
    pub(crate) client: Client,
    pub(crate) checks: Checks,
    pub(crate) edus: Edus,
    /// One transaction of a server at a time.
    transactions: Turns<OwnedServerName>,
    junk: Junk,
    /// Who fetches for a room what came before its newest events.
    missing: Turns<OwnedRoomId>,
    /// Who fetches for a room what came before a gap in its history.
    history: Turns<OwnedRoomId>,
}

/// Where EDUs go.
#[derive(Debug, Clone)]
pub struct Edus {
    /// Who is typing.
    pub typing: Typing,
    /// Who has read what.
    pub receipts: Receipts,
    /// Who is there.
    pub presence: Presence,
    /// Their devices, and messages to ours.
    pub devices: RemoteDevices,
}

impl Inbound {
    /// Takes in events to `rooms`, asking with `client` for what is missing.
    #[must_use]
    pub fn new(db: Db, clock: Clock, rooms: Rooms, client: Client, checks: Checks, edus: Edus) -> Self {
        let (transactions, missing, history) = Default::default();
        let junk = Junk::new(clock.clone());
        Self { db, clock, rooms, client, checks, edus, junk, transactions, missing, history }
    }

    /// What checks the signatures of events.
    #[must_use]
    pub fn checks(&self) -> &Checks {
        &self.checks
    }
}
