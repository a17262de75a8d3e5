//! One event.

use bytes::Bytes;
use kv::Read;
use ruma::{EventId, ServerName};

use super::sight::ServerSight;
use crate::{Result, RoomError, Rooms, tables::EVENT_IDS};

impl Rooms {
    /// An event in federation format, for a server that asks for it by its id.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`], also when none of the server's users may see it; [`RoomError::Denied`] when the
    /// server may not read from the room.
    pub async fn event_for_server(&self, read: &impl Read, event: &EventId, server: &ServerName) -> Result<Bytes> {
        let found = read.peek(&EVENT_IDS, event).await?.ok_or(RoomError::UnknownEvent)?;
        self.check_server(read, found.room, server).await?;
        let row = self.row(read, found.room, found.num).await?;
        let mut sight = ServerSight::new(self, read, found.room, server).await?;
        if !sight.sees(self, read, found.room, &row).await? {
            return Err(RoomError::UnknownEvent);
        }
        Ok(row.event.json())
    }
}
