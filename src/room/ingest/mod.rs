//! Events of other servers: authorize, resolve, append. Server-server API, "Checks performed on receipt of a PDU".
//!
//! **Owns** what becomes of an event whose signatures and hashes `federation` has checked: its verdict, its state,
//! its place; outliers; joining by the state that another server sends; history that is fetched later.
//! **Must not know** where events come from. What is missing is answered, and fetched by the caller.
//! **Invariants**
//! - Every event that comes in passes [`crate::Rooms::ingest`], [`crate::Rooms::ingest_outliers`], [`crate::Rooms::install`] or
//!   [`crate::Rooms::backfilled`], which all check it against its auth events.
//! - Soft-failed and rejected events are never extremities and never shown; nothing cites a rejected one.

mod authorize;
mod backfill;
#[cfg(test)]
mod cases;
mod extremities;
#[cfg(test)]
mod figures;
mod gaps;
mod install;
mod invited;
mod jump;
mod outlier;
mod receive;
mod resolve;
mod tidy;

pub use backfill::StatesBefore;
pub use gaps::Gap;
pub use install::{Joined, RemoteState};
pub use invited::Invitation;
pub use jump::Between;
pub(crate) use tidy::DUMMY;

use std::{collections::HashSet, sync::Arc};

use event::Pdu;
use ruma::OwnedEventId;

use crate::num::EventNum;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// It was here before.
    Known,
    /// It is part of the room.
    Accepted(EventNum),
    /// It is kept but not shown, and nothing of this server builds on it.
    SoftFailed(String),
    /// It breaks the rules.
    Rejected(String),
    /// Events that it refers to have to be ingested first.
    Missing(Missing),
}

/// What is done with events that the rules do not let into the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hidden {
    /// They are kept with the reason, so that they are known when they come again or something refers to them.
    #[default]
    Kept,
    /// They are told of and forgotten: for whoever has sent too many of them.
    Forgotten,
}

/// How events are taken in.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// What is done with those that are not let in.
    pub hidden: Hidden,
    /// Those that the room's policy server has not signed: they are soft-failed.
    pub unwanted: HashSet<OwnedEventId>,
}

/// Events that another one refers to and that are not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Of its `prev_events` those whose state is not known.
    pub prev: Vec<OwnedEventId>,
    /// Of its `auth_events` those that are not known.
    pub auth: Vec<OwnedEventId>,
}

impl Missing {
    fn is_empty(&self) -> bool {
        self.prev.is_empty() && self.auth.is_empty()
    }
}

/// Events in an order in which each comes after those that it follows.
#[must_use]
pub fn in_order(pdus: &[Arc<Pdu>]) -> Vec<Arc<Pdu>> {
    outlier::by_prev(pdus)
}
