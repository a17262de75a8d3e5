//! Letting users of other servers into our rooms, out of them, and knock on them.

use std::sync::Arc;

use bytes::Bytes;
use event::{Pdu, RoomVersionRules};
use room::{
    EventNum, RoomNum,
    handshake::{Admitted, Handshake, Template},
    membership_of,
};
use ruma::{EventId, RoomId, RoomVersionId, ServerName, UserId, events::TimelineEventType};

use super::{MembershipError, Memberships, Result, join::rules_of};

/// An event that another server sends to have it taken into a room.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// Who sends it.
    pub origin: &'a ServerName,
    /// The room that the path names.
    pub room_id: &'a RoomId,
    /// The event that the path names.
    pub event_id: &'a EventId,
    /// The event.
    pub event: Bytes,
}

/// An event that was taken into a room.
#[derive(Debug)]
struct Taken {
    room: RoomNum,
    num: EventNum,
    /// The event with our signature, if it has that.
    cosigned: Option<Arc<Pdu>>,
}

/// What a server is told whose user came in.
#[derive(Debug)]
pub struct Welcome {
    /// The room.
    pub admitted: Admitted,
    /// The join, if we signed it.
    pub event: Option<Arc<Pdu>>,
}

impl Memberships {
    /// The event that a server may fill in for its user. `versions`: those that it knows, if it says so.
    ///
    /// # Errors
    /// As [`room::Rooms::template`]; [`MembershipError::Forbidden`] for users of other servers.
    pub async fn template(
        &self,
        origin: &ServerName,
        room_id: &RoomId,
        user: &UserId,
        handshake: Handshake,
        versions: Option<&[RoomVersionId]>,
    ) -> Result<Template> {
        if user.server_name() != origin {
            return Err(MembershipError::Forbidden("this user is not of your server".into()));
        }
        Ok(self.rooms.template(room_id, user, origin, handshake, versions).await?)
    }

    /// Takes in a join; answers the room, without most of its members if they are to be left out.
    ///
    /// # Errors
    /// [`MembershipError::Invalid`] when it is no join of a user of that server, [`MembershipError::Refused`] when it
    /// is not signed as it has to be, and as [`room::Rooms::admit`].
    pub async fn take_join(&self, received: &Received<'_>, omit_members: bool) -> Result<Welcome> {
        let taken = self.take(received, Handshake::Join).await?;
        let view = self.rooms.db().view();
        let admitted = self.rooms.admitted(&view, taken.room, taken.num, omit_members).await?;
        Ok(Welcome { admitted, event: taken.cosigned })
    }

    /// Takes in a leave.
    ///
    /// # Errors
    /// As [`Memberships::take_join`].
    pub async fn take_leave(&self, received: &Received<'_>) -> Result<()> {
        self.take(received, Handshake::Leave).await.map(drop)
    }

    /// Takes in a knock; answers what the user is shown of the room, in federation format.
    ///
    /// # Errors
    /// As [`Memberships::take_join`].
    pub async fn take_knock(&self, received: &Received<'_>) -> Result<Vec<Bytes>> {
        let taken = self.take(received, Handshake::Knock).await?;
        Ok(self.rooms.shown_to_knocker(&self.rooms.db().view(), taken.room, taken.num).await?)
    }

    async fn take(&self, received: &Received<'_>, handshake: Handshake) -> Result<Taken> {
        let view = self.rooms.db().view();
        let room = self.rooms.open_to(&view, received.room_id, received.origin).await?;
        let version = self.rooms.info(&view, room).await?.version.clone();
        drop(view);
        let rules = rules_of(&version)?;
        let mut pdu =
            Pdu::parse(&received.event, &rules).map_err(|error| MembershipError::Invalid(error.to_string()))?;
        check(&pdu, received, handshake)?;
        let vouched = handshake == Handshake::Join
            && rules.authorization.restricted_join_rule
            && self.rooms.vouches(room, &pdu).await?;
        if vouched {
            pdu = self.rooms.cosign(&pdu, &version)?;
        }
        let pdu = self.checks.one(&rules, pdu.json().clone()).await?;
        if pdu.redacted {
            return Err(MembershipError::Forbidden("the content of the event is not what was signed".into()));
        }
        let pdu = self.recommended(room, &rules, handshake, pdu).await?;
        let num = self.rooms.admit(received.room_id, &pdu, received.origin).await?;
        Ok(Taken { room, num, cosigned: vouched.then_some(pdu) })
    }

    /// The event with the signature of the room's policy server. Who wants to leave leaves also without it.
    async fn recommended(
        &self,
        room: RoomNum,
        rules: &RoomVersionRules,
        handshake: Handshake,
        pdu: Arc<Pdu>,
    ) -> Result<Arc<Pdu>> {
        let Some(policy) = self.rooms.policy_server(&self.rooms.db().view(), room).await? else { return Ok(pdu) };
        match self.rooms.recommended(&policy, rules, &pdu).await {
            Ok(signed) => Ok(signed),
            Err(_) if handshake == Handshake::Leave => Ok(pdu),
            Err(error) => Err(MembershipError::Room(error.into())),
        }
    }
}

/// Whether an event is what the endpoint is for.
fn check(pdu: &Pdu, received: &Received<'_>, handshake: Handshake) -> Result<()> {
    let invalid = |text: &str| Err(MembershipError::Invalid(text.to_owned()));
    if pdu.room_id != received.room_id {
        return invalid("the event is of another room than the path says");
    }
    if pdu.event_id != received.event_id {
        return invalid("the event has another id than the path says");
    }
    if pdu.kind != TimelineEventType::RoomMember || membership_of(pdu) != Some(handshake.membership()) {
        return invalid("the event is not of the membership that this endpoint is for");
    }
    if pdu.state_key.as_deref() != Some(pdu.sender.as_str()) {
        return invalid("the event changes somebody else's membership");
    }
    if pdu.sender.server_name() != received.origin {
        return Err(MembershipError::Forbidden("the sender of the event is not of your server".into()));
    }
    Ok(())
}
