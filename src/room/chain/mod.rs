//! The index of auth chains: which events allow which, without reading the events. Decision 10.
//!
//! **Owns** one small row for each state event, with the numbers of the events that allow it, written with the event;
//! walking along these rows (auth chains) and against them (what only some states rest on).
//! **Must not know** verdicts: what an event names as its authorization does not depend on them.
//! **Invariants**
//! - A row tells all of an event's auth events, and each of these has its row. An event without a row (a message, one
//!   below which something is missing, one from before the index) is read itself.
//! - Auth events have smaller numbers than what they allow, but for events that are listed in
//!   [`crate::tables::AUTH_LATE`]: those that were here before what allows them, as invites are.
//! - Of a room in [`crate::tables::AUTH_READY`] every state event has its row, is listed as late, or was rejected.

mod build;
#[cfg(test)]
mod cases;
mod difference;
mod index;
mod order;
mod subgraph;
mod walk;

pub(crate) use difference::Sides;
pub use index::AuthEdges;
