//! Devices and keys of users here and on other servers, told to each other.
//!
//! **Owns** which lists of other servers' users are kept and up to date, and what other servers were told of ours. The
//! keys themselves are in `e2ee`.
//! **Must not know** clients' requests.
//! **Tables**: [`tables`]. **Tasks**: [`RemoteDevices::run`].
//! **Invariants**
//! - A list is answered from what is kept only while its user and somebody here have been in a common room ever since
//!   it was fetched, and nothing is known to be missing: else their server is asked.
//! - What a server says of its users is stored before it is acknowledged; a gap leads to asking for all.
//! - Other servers are told of every change once, in the transaction that remembers that they were; of a user who comes
//!   into a room with them, once after the join.

mod announce;
mod ask;
#[cfg(test)]
mod cases;
mod claim;
mod follow;
mod joins;
mod lists;
mod query;
mod receive;
mod resync;
mod send;
mod serve;
pub mod tables;

use std::sync::Arc;

use base::Clock;
use e2ee::{Keys, Mailbox};
use kv::{Announcement, Db, Observer, Topic};
use room::Rooms;
use ruma::{OwnedServerName, UserId};
use tokio::sync::Notify;

pub use ask::{AskKeys, Claimed, ClaimedKeys, Queried, UserDevice, UserDevices};
pub use claim::Claims;
pub use joins::JoinsProjection;
pub use query::{KeyAnswers, Wanted};
pub use serve::DeviceList;

use crate::{Client, queue::Queue};

/// Why something about devices could not be done; other servers are answered for.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no such user here.
    #[error("there is no such user on this server")]
    UnknownUser,
    /// A message to a device of another server is larger than servers take.
    #[error("a message to a device is too large for its server")]
    TooLarge,
    /// Keys.
    #[error(transparent)]
    Keys(#[from] e2ee::E2eeError),
    /// Rooms.
    #[error(transparent)]
    Room(#[from] room::RoomError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl kv::Conflicts for DeviceError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            Self::Keys(error) => error.is_conflict(),
            Self::Room(error) => error.is_conflict(),
            Self::UnknownUser | Self::TooLarge => false,
        }
    }
}

/// Result with a [`DeviceError`].
pub type Result<T, E = DeviceError> = std::result::Result<T, E>;

/// Devices and keys across servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RemoteDevices {
    db: Db,
    clock: Clock,
    own: OwnedServerName,
    keys: Keys,
    mailbox: Mailbox,
    rooms: Rooms,
    servers: Arc<dyn AskKeys>,
    queue: Queue,
    /// Whether other servers are told what users call their devices.
    tells_names: bool,
    /// Rings when devices of somebody changed, or a user of ours came into a room.
    changed: Arc<Notify>,
    /// Rings when a list is to be fetched anew.
    stale: Arc<Notify>,
}

/// Rings when devices of a user of `own` change, or the rooms that such a user is in.
#[derive(Debug)]
struct Bell {
    own: OwnedServerName,
    changed: Arc<Notify>,
}

impl Observer for Bell {
    fn record(&self, _: &[Announcement]) {}

    fn wake(&self, changes: &[Announcement]) {
        let ours = |change: &Announcement| match &change.topic {
            Topic::Devices(user) | Topic::Memberships(user) => user.server_name() == self.own,
            _ => false,
        };
        if changes.iter().any(ours) {
            self.changed.notify_one();
        }
    }
}

impl RemoteDevices {
    /// Devices over these domains, asking with `client` and telling by `queue`.
    pub fn new(rooms: Rooms, keys: Keys, mailbox: Mailbox, clock: Clock, client: Client, queue: Queue) -> Self {
        Self::asking(rooms, keys, mailbox, clock, Arc::new(client), queue)
    }

    /// The same, asking otherwise.
    pub fn asking(
        rooms: Rooms,
        keys: Keys,
        mailbox: Mailbox,
        clock: Clock,
        servers: Arc<dyn AskKeys>,
        queue: Queue,
    ) -> Self {
        let (db, own) = (rooms.db().clone(), rooms.server().to_owned());
        let (changed, stale) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        db.observe(Arc::new(Bell { own: own.clone(), changed: changed.clone() }));
        Self { db, clock, own, keys, mailbox, rooms, servers, queue, tells_names: false, changed, stale }
    }

    /// The same, with other servers told what users call their devices or not.
    #[must_use]
    pub fn telling_names(self, tells_names: bool) -> Self {
        Self { tells_names, ..self }
    }

    /// Tells other servers of changes, and fetches what is missing of theirs. Never ends.
    pub async fn run(self) {
        tokio::join!(self.announce_all(), self.resync_all());
    }

    fn is_ours(&self, user: &UserId) -> bool {
        user.server_name() == self.own
    }
}
