//! `/sync`: what changed for a user, at a cost proportional to what changed.
//!
//! **Owns** sync tokens, the index of recent changes, who is online and waits, and the making of responses.
//! **Must not know** HTTP, how events are written, what makes an event notify.
//! **Tables**: none.
//! **Tasks**: [`Sync::wake_late`]; it observes the engine.
//! **Invariants**
//! - A request subscribes first, then reads positions; waiters are woken only after publication.
//! - A response covers exactly the stream between two tokens; splitting the interval gives the same union.
//! - A token of another database epoch gets everything anew, never silence.

mod error;
mod fields;
mod index;
mod json;
mod online;
mod response;
mod rooms;
mod span;
mod streams;
mod sync;
#[cfg(test)]
mod tests;
mod token;
mod told;
mod wants;

pub use error::SyncError;
pub use response::{Response, RoomPart, Summary};
pub use sync::{Request, Sources, StateAfter, Sync};
pub use token::SyncToken;
pub use wants::Wants;

/// Result with a [`SyncError`].
pub type Result<T, E = SyncError> = std::result::Result<T, E>;
