//! Which rooms a server may read from.

use kv::Read;
use ruma::{RoomId, ServerName};

use crate::{Membership, Result, RoomError, Rooms, num::RoomNum, tables::MEMBERS};

impl Rooms {
    /// The room, if `server` may read from it.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`]; [`RoomError::Denied`] when its access list keeps the server out or the server is
    /// not in the room.
    pub async fn served_room(&self, read: &impl Read, room: &RoomId, server: &ServerName) -> Result<RoomNum> {
        let room = self.num(read, room).await?;
        // Of a room that this server is only invited to, it has nothing to tell.
        self.tip(read, room).await?;
        self.check_server(read, room, server).await?;
        Ok(room)
    }

    /// Refuses servers that may not read from a room.
    pub(super) async fn check_server(&self, read: &impl Read, room: RoomNum, server: &ServerName) -> Result<()> {
        if !self.acl_allows(read, room, server).await? {
            return Err(RoomError::Denied("your server is kept out by the room's access list".into()));
        }
        if !self.server_is_in(read, room, server).await? {
            return Err(RoomError::Denied("your server is not in this room".into()));
        }
        Ok(())
    }

    /// Whether a user of `server` is invited now.
    pub(super) async fn has_invite_for(&self, read: &impl Read, room: RoomNum, server: &ServerName) -> Result<bool> {
        let mut invited = read.scan(&MEMBERS, MEMBERS.under(&(room, Membership::Invite.code())));
        while let Some(((_, _, user), _)) = invited.next().await? {
            if user.server_name() == server {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
