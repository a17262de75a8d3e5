use kv::Read;
use ruma::{RoomId, ServerName};

use crate::{Result, RoomError, Rooms, num::RoomNum};

impl Rooms {
    /// Whether this server takes part in a room, so that it can act in it by itself: a local user is joined, or nobody
    /// of another server is.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn takes_part(&self, read: &impl Read, room_id: &RoomId) -> Result<bool> {
        let room = match self.num(read, room_id).await {
            Err(RoomError::UnknownRoom) => return Ok(false),
            other => other?,
        };
        match self.tip(read, room).await {
            Ok(tip) if tip.extremities.is_empty() => return Ok(false),
            Err(RoomError::UnknownRoom) => return Ok(false),
            other => other?,
        };
        if self.server_is_in(read, room, self.server()).await? {
            return Ok(true);
        }
        Ok(self.servers_in(read, room).await?.is_empty())
    }

    /// The room, if this server is in it and `origin` may act in it through this server.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`]; [`RoomError::Denied`] when the room's access list keeps `origin` out.
    pub async fn open_to(&self, read: &impl Read, room_id: &RoomId, origin: &ServerName) -> Result<RoomNum> {
        let room = self.num(read, room_id).await?;
        if !self.server_is_in(read, room, self.server()).await? {
            return Err(RoomError::UnknownRoom);
        }
        if !self.acl_allows(read, room, origin).await? {
            return Err(RoomError::Denied("your server is kept out by the room's access list".into()));
        }
        Ok(room)
    }
}
