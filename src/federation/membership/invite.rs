//! Inviting users of other servers.

use std::sync::Arc;

use event::Pdu;
use room::{MemberChange, handshake::DraftedInvite};
use ruma::{OwnedEventId, RoomId, RoomVersionId, ServerName, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    MembershipError, Memberships, Result,
    ask::{escaped, is_unknown_endpoint},
    join::rules_of,
};
use crate::{Call, CallError};

/// Bytes of the largest answer to an invite.
const SIGNED_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Signed {
    event: Box<RawValue>,
}

impl Memberships {
    /// Invites a user of another server into a room of ours; their server signs the event before the room gets it.
    /// Answers whether that took an event.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`]; [`MembershipError::Call`] when their server refuses or cannot be reached.
    pub async fn invite(&self, room_id: &RoomId, change: &MemberChange) -> Result<bool> {
        let Some(drafted) = self.rooms.draft_invite(room_id, change).await? else { return Ok(false) };
        self.send_invite(&change.target, &drafted).await?;
        Ok(true)
    }

    /// As [`Memberships::invite`], with a content that the one who invites wrote; answers the event's id.
    ///
    /// # Errors
    /// As [`Memberships::invite`].
    pub async fn invite_with(
        &self,
        room_id: &RoomId,
        sender: &UserId,
        target: &UserId,
        content: &Map<String, Value>,
    ) -> Result<OwnedEventId> {
        let drafted = self.rooms.draft_invite_with(room_id, sender, target, content).await?;
        self.send_invite(target, &drafted).await?;
        Ok(drafted.event.event_id.clone())
    }

    /// Has the server of `target` sign an invite, and adds it to the room.
    pub(super) async fn send_invite(&self, target: &UserId, drafted: &DraftedInvite) -> Result<()> {
        let signed = self.signed_invite(target.server_name(), drafted).await?;
        Ok(self.rooms.add_invite(drafted, &signed).await?)
    }

    async fn signed_invite(&self, server: &ServerName, drafted: &DraftedInvite) -> Result<Arc<Pdu>> {
        let pdu = &drafted.event;
        let state =
            drafted.state.iter().map(|json| serde_json::from_slice::<Value>(json)).collect::<Result<Vec<_>, _>>();
        let state = state.map_err(|error| MembershipError::Invalid(error.to_string()))?;
        let event = value(pdu)?;
        let body = json!({ "room_version": drafted.version, "event": event, "invite_room_state": state });
        let call = |version: &str, body: &Value| {
            let path =
                format!("/_matrix/federation/{version}/invite/{}/{}", escaped(&pdu.room_id), escaped(&pdu.event_id));
            Call::put(path, body.to_string()).max_bytes(SIGNED_BYTES).urgent()
        };
        let signed: Signed = match self.client.call(server, call("v2", &body)).await {
            Ok(reply) => reply.json()?,
            // The first version of the endpoint knows nothing of room versions.
            Err(error) if is_unknown_endpoint(&error) && is_first(&drafted.version) => {
                let mut event = event;
                event.insert("unsigned".into(), json!({ "invite_room_state": state }));
                let reply = self.client.call(server, call("v1", &Value::Object(event))).await?;
                reply.json::<(u16, Signed)>()?.1
            }
            Err(error) => return Err(error.into()),
        };
        let json = String::from(Box::<str>::from(signed.event)).into();
        self.signed_by_others(&rules_of(&drafted.version)?, pdu, json).await
    }
}

fn is_first(version: &RoomVersionId) -> bool {
    matches!(version, RoomVersionId::V1 | RoomVersionId::V2)
}

fn value(pdu: &Pdu) -> Result<Map<String, Value>, CallError> {
    serde_json::from_slice(pdu.json()).map_err(|error| CallError::BadRequest(error.to_string()))
}
