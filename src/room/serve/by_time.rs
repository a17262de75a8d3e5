//! Finding an event by its time, for a server.

use kv::Read;
use ruma::ServerName;

use crate::{
    Direction, EventRow, Result, Rooms,
    by_time::Eyes,
    num::{EventNum, RoomNum},
};

impl Rooms {
    /// As [`Rooms::event_by_time`], among the events that `server`, which is in the room, may see.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn event_by_time_for(
        &self,
        read: &impl Read,
        room: RoomNum,
        server: &ServerName,
        ts: u64,
        direction: Direction,
    ) -> Result<Option<(EventNum, EventRow)>> {
        self.seen_by_time(read, room, Eyes::Server(server), ts, direction).await
    }
}
