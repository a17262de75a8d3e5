//! Which rooms everybody may know of.

use kv::Read;
use serde::Deserialize;

use super::PUBLISHED;
use crate::{HistoryVisibility, Result, Rooms, num::RoomNum};

#[derive(Deserialize)]
struct JoinRule {
    join_rule: String,
}

impl Rooms {
    /// Whether everybody may find or enter a room: the directory lists it, all may join, or all may read it.
    ///
    /// # Errors
    /// [`crate::RoomError::UnknownRoom`].
    pub async fn is_public(&self, read: &impl Read, room: RoomNum) -> Result<bool> {
        if read.has(&PUBLISHED, room).await? {
            return Ok(true);
        }
        let state = self.tip(read, room).await?.state;
        if self.history_visibility(read, room, state).await? == HistoryVisibility::WorldReadable {
            return Ok(true);
        }
        let rule = self.state_event(read, room, state, "m.room.join_rules", "").await?;
        let rule = rule.and_then(|pdu| serde_json::from_str::<JoinRule>(pdu.content.get()).ok());
        Ok(rule.is_some_and(|rule| rule.join_rule == "public"))
    }
}
