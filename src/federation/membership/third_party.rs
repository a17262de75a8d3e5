//! Invites of e-mail addresses and phone numbers, once an identity server knows whose they are. Server-server API,
//! "Third-party invites".

use ruma::{OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId};
use serde_json::{Map, Value, json};

use super::{MembershipError, Memberships, Result, ask::escaped};
use crate::Call;

/// Most invites that one message of an identity server may have: each of them makes a request.
pub const MAX_BOUND: usize = 20;

/// An invite that an identity server has found the user for.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who invited.
    pub sender: OwnedUserId,
    /// Who is invited: a user of ours.
    pub target: OwnedUserId,
    /// What the identity server signed.
    pub signed: Value,
}

impl Memberships {
    /// Turns the invite of a third party into that of a user, on behalf of another server. The room's rules check the
    /// identity server's signature.
    ///
    /// # Errors
    /// [`MembershipError::Forbidden`] when the one who invited is not ours; as [`Memberships::invite`].
    pub async fn exchange(&self, origin: &ServerName, bound: &Bound) -> Result<()> {
        self.rooms.open_to(&self.rooms.db().view(), &bound.room_id, origin).await?;
        self.make_real(bound).await
    }

    /// Passes an invite that an identity server has found the user for to the server that can make it real.
    ///
    /// # Errors
    /// As [`Memberships::exchange`]; [`MembershipError::Call`].
    pub async fn bound(&self, bound: &Bound) -> Result<()> {
        let server = bound.sender.server_name();
        if server == self.rooms.server() {
            return self.make_real(bound).await;
        }
        let path = format!("/_matrix/federation/v1/exchange_third_party_invite/{}", escaped(&bound.room_id));
        let body = json!({
            "type": "m.room.member",
            "room_id": bound.room_id,
            "sender": bound.sender,
            "state_key": bound.target,
            "content": { "membership": "invite", "third_party_invite": { "signed": bound.signed } },
        });
        self.client.call(server, Call::put(path, body.to_string())).await?;
        Ok(())
    }

    async fn make_real(&self, bound: &Bound) -> Result<()> {
        if bound.sender.server_name() != self.rooms.server() {
            return Err(MembershipError::Forbidden("who invited is not of this server".into()));
        }
        let content = self.content(&bound.room_id, &bound.target, &bound.signed).await?;
        let drafted = self.rooms.draft_invite_with(&bound.room_id, &bound.sender, &bound.target, &content).await?;
        if bound.target.server_name() == self.rooms.server() {
            return Ok(self.rooms.add_invite(&drafted, &drafted.event).await?);
        }
        self.send_invite(&bound.target, &drafted).await
    }

    /// The content of the invite, with the name under which the room knows the third party.
    async fn content(&self, room_id: &RoomId, target: &UserId, signed: &Value) -> Result<Map<String, Value>> {
        let token = signed.get("token").and_then(Value::as_str);
        let token = token.ok_or_else(|| MembershipError::Invalid("`signed` has no token".into()))?;
        if signed.get("mxid").and_then(Value::as_str) != Some(target.as_str()) {
            return Err(MembershipError::Invalid("`signed` is for another user".into()));
        }
        let view = self.rooms.db().view();
        let room = self.rooms.num(&view, room_id).await?;
        let tip = self.rooms.tip(&view, room).await?;
        let invite = self.rooms.state_event(&view, room, tip.state, "m.room.third_party_invite", token).await?;
        let invite = invite.ok_or_else(|| MembershipError::Forbidden("the room knows of no such invite".into()))?;
        let known: Value = serde_json::from_str(invite.content.get()).unwrap_or_default();
        let third_party =
            json!({ "display_name": known.get("display_name").cloned().unwrap_or_default(), "signed": signed });
        Ok(Map::from_iter([("membership".into(), json!("invite")), ("third_party_invite".into(), third_party)]))
    }
}
