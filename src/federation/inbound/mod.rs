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
//! - One transaction of a server is worked on at a time, and one transaction's part of a room.
//! - What a PDU makes us fetch is bounded by [`Effort`].

mod edu;
mod effort;
mod error;
mod fetch;
mod history;
mod received;
mod transaction;
mod turns;
mod verify;

use std::sync::Arc;

use base::Clock;
use ephemeral::{Presence, Receipts, Typing};
use kv::Db;
use room::Rooms;

pub use effort::Effort;
pub use error::InboundError;
pub use received::ReceivedRow;
pub use transaction::{MAX_TRANSACTION_BYTES, PduResult};
pub use verify::{Checks, Refused};

use crate::{Client, RemoteDevices, inbound::turns::Turns};

/// Takes in what other servers send. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inbound {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) rooms: Rooms,
    pub(crate) client: Client,
    pub(crate) checks: Checks,
    pub(crate) edus: Edus,
    turns: Arc<Turns>,
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
        Self { db, clock, rooms, client, checks, edus, turns: Arc::default() }
    }

    /// What checks the signatures of events.
    #[must_use]
    pub fn checks(&self) -> &Checks {
        &self.checks
    }
}
