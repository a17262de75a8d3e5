//! Rooms as their users see them, on the in-memory engine.

mod delayed;
mod erased;
mod handshake;
mod ingest;
mod lists;
mod members;
mod paging;
pub mod pair;
mod redaction;
mod relations;
pub(crate) mod rig;
mod send;
mod sent;
mod servers;
mod speed;
mod two_nodes;
mod upgrades;
mod visibility;
