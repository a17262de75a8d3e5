//! Aliases and the published list of rooms.

use kv::{Table, Tx};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::num::RoomNum;

mod aliases;
mod public;
mod published;

pub(crate) use aliases::claim;
pub use published::{DirectoryPage, DirectoryQuery, Network};

/// Room by alias, with who made it.
pub const ALIASES: Table<OwnedRoomAliasId, Alias> = Table::new(0x0320, "room.aliases", 1);
/// Aliases by room.
pub const ROOM_ALIASES: Table<(OwnedRoomId, OwnedRoomAliasId), ()> = Table::new(0x0321, "room.room_aliases", 1);
/// Rooms that the directory lists.
pub const PUBLISHED: Table<RoomNum, ()> = Table::new(0x0322, "room.published", 1);

/// Rooms that application services list, by network: their own name, a bar, and that of the network.
pub const PUBLISHED_ON: Table<(String, RoomNum), ()> = Table::new(0x0323, "room.published_on", 1);

/// Where an alias leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The room.
    pub room: OwnedRoomId,
    /// Who made the alias and may remove it.
    pub creator: OwnedUserId,
}
kv::value!(Alias);

/// Puts a room into the directory or takes it out.
pub(crate) fn publish(tx: &mut Tx, room: RoomNum, listed: bool) {
    if listed {
        tx.put(&PUBLISHED, room, &());
    } else {
        tx.delete(&PUBLISHED, room);
    }
}
