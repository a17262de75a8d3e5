//! How far users say that they have read.

use account::AccountData;
use room::{Place, RoomNum};
use ruma::{EventId, OwnedEventId, RoomId, UserId};
use serde::Deserialize;
use serde_json::json;

use crate::{FlowError, Flows, Result};

/// The account data that keeps the marker.
const KIND: &str = "m.fully_read";

#[derive(Deserialize)]
struct Marker {
    event_id: OwnedEventId,
}

impl Flows {
    /// Notes that `user` has read everything up to `event`; a marker never moves back. Client-server API, "Fully read
    /// markers".
    ///
    /// # Errors
    /// [`room::RoomError::NotJoined`], [`room::RoomError::UnknownEvent`].
    pub async fn set_marker(&self, user: &UserId, room_id: &RoomId, event: &EventId) -> Result<()> {
        let room = self.rooms.num_of_joined(&self.rooms.db().view(), user, room_id).await?;
        let new = self.place_of_event(room, event).await?;
        kv::retry(|| async {
            let mut tx = self.rooms.db().begin();
            let old = AccountData::get_in(&tx, user, Some(room_id), KIND).await?;
            let old = match old.and_then(|json| serde_json::from_str(&json).ok()) {
                Some(Marker { event_id }) => self.place_of_event(room, &event_id).await.unwrap_or_default(),
                None => None,
            };
            if old < new {
                let marker = json!({ "event_id": event }).to_string();
                AccountData::set_in(&mut tx, user, Some(room_id), KIND, &marker).await?;
            }
            tx.commit().await
        })
        .await?;
        Ok(())
    }

    /// The place of an event in the timeline, which never changes once it has one.
    async fn place_of_event(&self, room: RoomNum, event: &EventId) -> Result<Option<Place>, FlowError> {
        let view = self.rooms.db().view();
        let num = self.rooms.event_num(&view, room, event).await?;
        Ok(self.rooms.row(&view, room, num).await?.meta.place)
    }
}
