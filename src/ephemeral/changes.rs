//! What followers that bring changes to other servers are told. Those who are too slow miss some: all of this passes.

use room::RoomNum;
use ruma::{OwnedEventId, OwnedUserId};
use tokio::sync::broadcast;

use crate::Thread;

/// Changes that a slow follower may be behind.
const CAPACITY: usize = 4096;

/// Somebody began, went on or stopped typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypingChange {
    /// Where.
    pub room: RoomNum,
    /// Who.
    pub user: OwnedUserId,
    /// Whether they type now.
    pub typing: bool,
}

/// Somebody's public receipt moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptChange {
    /// Where.
    pub room: RoomNum,
    /// Who has read.
    pub user: OwnedUserId,
    /// What it counts for.
    pub thread: Thread,
    /// The last event read.
    pub event: OwnedEventId,
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
}

/// Tells followers of changes. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Changes<T>(broadcast::Sender<T>);

impl<T: Clone> Default for Changes<T> {
    fn default() -> Self {
        Self(broadcast::channel(CAPACITY).0)
    }
}

impl<T: Clone> Changes<T> {
    pub fn tell(&self, change: T) {
        // Nobody listens where there is no federation.
        let _ = self.0.send(change);
    }

    pub fn follow(&self) -> broadcast::Receiver<T> {
        self.0.subscribe()
    }
}
