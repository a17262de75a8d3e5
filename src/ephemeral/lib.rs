//! What passes: who is typing, who has read how far, who is there.
//!
//! **Owns** typing, receipts and presence.
//! **Must not know** HTTP, sync responses, push rules, the network.
//! **Tables**: [`tables`]. Typing has none: it draws stream positions without a row.
//! **Tasks**: [`Typing::expire`] and [`Presence::expire`]; run both every second or so.
//! **Invariants**
//! - A receipt never moves back, and each (user, kind, thread) of a room has one row in the receipt log.
//! - A private receipt is announced to its user alone.
//! - A user's state changes at most every other second but by their own word, however their clients sync.
//! - A change is in memory before its position is published, so a woken sync finds it.

#[cfg(test)]
mod cases;
mod changes;
mod error;
mod presence;
mod receipts;
pub mod tables;
mod typing;

pub use changes::{ReceiptChange, TypingChange};
pub use error::EphemeralError;
pub use presence::{MAX_STATUS_BYTES, Poll, Presence, PresenceState, Status};
pub use receipts::{Receipt, ReceiptKind, ReceiptRow, Receipts, Thread};
pub use typing::Typing;

/// Result with an [`EphemeralError`].
pub type Result<T, E = EphemeralError> = std::result::Result<T, E>;
