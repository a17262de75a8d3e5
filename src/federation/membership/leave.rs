//! Rejecting an invite and taking back a knock in a room that this server is not in.

use std::sync::Arc;

use event::Pdu;
use room::{
    Invitation,
    handshake::{Answer, Handshake},
};
use ruma::{OwnedServerName, RoomVersionId, UserId};
use serde_json::{Map, Value};

use super::{Memberships, Result, ask::Wish};
use room::RoomNum;

/// What a local user has of a room that this server is not in.
struct Outside {
    room_id: ruma::OwnedRoomId,
    version: RoomVersionId,
    /// The invite or knock.
    event: Arc<Pdu>,
    /// Who may be asked.
    servers: Vec<OwnedServerName>,
}

impl Memberships {
    /// Ends the invite or knock of a local user. The room is told if one of its servers can be reached; here it ends in
    /// any case.
    ///
    /// # Errors
    /// [`room::RoomError::NotJoined`] when there is none; when storage fails.
    pub async fn leave(&self, room: RoomNum, user: &UserId, content: &Map<String, Value>) -> Result<()> {
        let outside = self.outside(room, user).await?;
        let wish = Wish { room_id: &outside.room_id, user, content, handshake: Handshake::Leave };
        let mut left = None;
        for server in &outside.servers {
            match self.leave_through(server, wish, &outside.version).await {
                Ok(pdu) => {
                    left = Some(pdu);
                    break;
                }
                Err(error) => {
                    tracing::info!(%server, room = %outside.room_id, %user, %error, "a leave was not taken");
                }
            }
        }
        let event = match left {
            Some(pdu) => pdu,
            None => {
                let (room_id, version) = (&*outside.room_id, &outside.version);
                let answer = Answer { room_id, version, user, handshake: Handshake::Leave, content };
                self.rooms.lone_leave(&answer, &outside.event)?
            }
        };
        let invitation = Invitation { version: outside.version, event: Arc::new(event), state: Vec::new() };
        Ok(self.rooms.record_outside(&outside.room_id, &invitation).await?)
    }

    async fn leave_through(&self, server: &OwnedServerName, wish: Wish<'_>, version: &RoomVersionId) -> Result<Pdu> {
        let made = self.make(server, wish, Some(version)).await?;
        self.submit(server, Handshake::Leave, &made.pdu).await?;
        Ok(made.pdu)
    }

    async fn outside(&self, room: RoomNum, user: &UserId) -> Result<Outside> {
        let view = self.rooms.db().view();
        let part = self.rooms.user_room(&view, user, room).await?.ok_or(room::RoomError::NotJoined)?;
        let info = self.rooms.info(&view, room).await?;
        let event = self.rooms.pdu(&view, room, part.value.event).await?;
        // Who invited knows the room; so does, if they still are in it, who made it.
        let named = [event.sender.server_name().to_owned(), info.creator.server_name().to_owned()];
        let servers = self.candidates(&info.id, &named);
        Ok(Outside { room_id: info.id.clone(), version: info.version.clone(), event, servers })
    }
}
