//! Events of local users that are sent later: MSC4140.
//!
//! Whether a user may send an event is decided when it is sent. Each one is sent, or cancelled, in one transaction with
//! its own row, so no restart and no second node sends it twice; one that a policy server has to sign first is sent by a
//! transaction id of its own. It is kept for a while after that, so that its user can see what came of it.

mod change;
mod row;
mod run;
mod schedule;
mod signed;

pub use change::DelayedAction;
pub use row::{Delayed, DelayedEnd, Outcome};
pub use schedule::Later;

use kv::Conflicts;

use crate::RoomError;

/// How long an event is known after it was sent or cancelled, in milliseconds.
const KEPT: u64 = 7 * 24 * 60 * 60 * 1000;

/// Why an event is not delayed, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum DelayError {
    /// There is no such delayed event.
    #[error("there is no such delayed event")]
    Unknown,
    /// Something else came of it already.
    #[error("the delayed event was sent or cancelled before")]
    Ended,
    /// Events may wait for so many milliseconds.
    #[error("events may be delayed by at most {0} ms")]
    TooLong(u64),
    /// The user has so many waiting already.
    #[error("you have {0} delayed events already")]
    TooMany(usize),
    /// Events like this cannot be delayed.
    #[error("{0}")]
    NotDelayable(&'static str),
    /// In the room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for DelayError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Room(error) => error.is_conflict(),
            Self::Store(error) => error.is_conflict(),
            _ => false,
        }
    }
}

type Result<T, E = DelayError> = std::result::Result<T, E>;
