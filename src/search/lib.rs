//! Full-text search of what rooms say: an index of words beside the events.
//!
//! **Owns** which events of a room have a word in their text, name or topic.
//! **Must not know** who may see what: its answers pass `room`'s filter before they leave the server.
//! **Tables**: [`tables`]: words, the words of an event, what was edited, where the walk stands.
//! **Tasks**: [`Search::run`] follows the stream of all rooms from a durable cursor.
//! **Invariants**
//! - The words of an event go when it is redacted.
//! - Rows and cursor are written together, so a restart indexes again what was lost and nothing is left out.
//! - What one search reads is bounded, whatever is asked for.

#[cfg(test)]
mod cases;
mod config;
mod find;
mod follow;
pub mod tables;
mod words;

use std::sync::Arc;

use kv::{Conflicts, Db, Positions};
use room::{RoomError, Rooms};
use tokio::sync::{Notify, watch};

pub use config::Config;
pub use find::{Hit, Mark, Order, Query};
pub use tables::Field;
pub use words::words;

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// There is none on this server.
    #[error("this server does not search")]
    Off,
    /// In a room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for SearchError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Off => false,
            Self::Room(error) => error.is_conflict(),
            Self::Store(error) => error.is_conflict(),
        }
    }
}

/// Result with a [`SearchError`].
pub type Result<T, E = SearchError> = std::result::Result<T, E>;

/// The index of all rooms. Cheap to clone.
#[derive(Clone)]
pub struct Search {
    db: Db,
    rooms: Rooms,
    config: Arc<Config>,
    /// Rung when rooms have news.
    news: Arc<Notify>,
    /// Up to where everything is indexed.
    done: Arc<watch::Sender<Positions>>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Search {
    /// The index of `rooms`.
    pub fn new(db: Db, rooms: Rooms, config: Config) -> Self {
        Self { db, rooms, config: Arc::new(config), news: Arc::default(), done: Arc::new(watch::Sender::default()) }
    }
}
