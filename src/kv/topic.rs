use ruma::OwnedUserId;

use crate::Stamp;

/// What a transaction changed, told to observers in the moment its stamp is published.
///
/// A hint for wake-ups and in-memory indexes; the truth stays in the tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Something happened in the room with this number.
    Room(u64),
    /// Somebody has read further in the room with this number, and the others may know.
    Receipts(u64),
    /// Something happened that only this user sees: account data, private receipts, to-device messages.
    User(OwnedUserId),
    /// The user's part in some room changed.
    Memberships(OwnedUserId),
    /// The user came, went, or said something of their presence.
    Presence(OwnedUserId),
    /// The user's devices or their keys changed.
    Devices(OwnedUserId),
}

/// A [`Topic`] at the position of its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What changed.
    pub topic: Topic,
    /// Where in the stream.
    pub stamp: Stamp,
}
