//! Rooms as their users see them, on the in-memory engine.

mod paging;
mod redaction;
mod relations;
mod rig;
mod visibility;
