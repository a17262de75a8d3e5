//! Aliases and the published list of rooms.

use kv::{Read, Table, Tx};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::{Result, RoomError, Rooms, num::RoomNum};

/// Room by alias, with who made it.
pub const ALIASES: Table<OwnedRoomAliasId, Alias> = Table::new(0x0320, "room.aliases", 1);
/// Aliases by room.
pub const ROOM_ALIASES: Table<(OwnedRoomId, OwnedRoomAliasId), ()> = Table::new(0x0321, "room.room_aliases", 1);
/// Rooms that the directory lists.
pub const PUBLISHED: Table<RoomNum, ()> = Table::new(0x0322, "room.published", 1);

/// Where an alias leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The room.
    pub room: OwnedRoomId,
    /// Who made the alias and may remove it.
    pub creator: OwnedUserId,
}
kv::value!(Alias);

/// Makes `alias` lead to `room`.
///
/// # Errors
/// [`RoomError::AliasInUse`].
pub(crate) async fn claim(tx: &mut Tx, alias: &RoomAliasId, room: &RoomId, creator: &UserId) -> Result<()> {
    if tx.has(&ALIASES, alias).await? {
        return Err(RoomError::AliasInUse(alias.to_string()));
    }
    tx.put(&ALIASES, alias, &Alias { room: room.to_owned(), creator: creator.to_owned() });
    tx.put(&ROOM_ALIASES, (room, alias), &());
    Ok(())
}

/// Puts a room into the directory or takes it out.
pub(crate) fn publish(tx: &mut Tx, room: RoomNum, listed: bool) {
    if listed {
        tx.put(&PUBLISHED, room, &());
    } else {
        tx.delete(&PUBLISHED, room);
    }
}

impl Rooms {
    /// Where a local alias leads.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn alias(&self, read: &impl Read, alias: &RoomAliasId) -> Result<Option<Alias>> {
        Ok(read.get(&ALIASES, alias).await?)
    }
}
