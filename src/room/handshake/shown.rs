//! What somebody outside of a room is shown of it: its stripped state. Client-server API, "Stripped state".

use bytes::Bytes;
use kv::Read;
use ruma::UserId;

use crate::{
    Result, Rooms,
    num::{EventNum, RoomNum},
    state::Root,
};

/// State that is shown to invited and knocking users, beside the member events.
const SHOWN: [&str; 7] = [
    "m.room.create",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.avatar",
    "m.room.name",
    "m.room.encryption",
    "m.room.topic",
];

impl Rooms {
    /// The events of the state `root` that may be shown outside of the room, with the member event of `inviter`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn shown_state(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        inviter: Option<&UserId>,
    ) -> Result<Vec<EventNum>> {
        let mut nums = Vec::new();
        for kind in SHOWN {
            nums.extend(self.state_num(read, room, root, kind, "").await?);
        }
        if let Some(inviter) = inviter {
            nums.extend(self.state_num(read, room, root, "m.room.member", inviter.as_str()).await?);
        }
        Ok(nums)
    }

    /// As [`Rooms::shown_state`], as other servers get it: events in federation format.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn shown_events(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        inviter: Option<&UserId>,
    ) -> Result<Vec<Bytes>> {
        let nums = self.shown_state(read, room, root, inviter).await?;
        Ok(self.rows(read, room, nums).await?.into_iter().map(|(_, row)| row.event.json()).collect())
    }

    /// What is shown of a room to somebody who knocked by the event `knock`.
    ///
    /// # Errors
    /// [`crate::RoomError::UnknownEvent`].
    pub async fn shown_to_knocker(&self, read: &impl Read, room: RoomNum, knock: EventNum) -> Result<Vec<Bytes>> {
        let root = self.row(read, room, knock).await?.meta.before;
        self.shown_events(read, room, root, None).await
    }
}
