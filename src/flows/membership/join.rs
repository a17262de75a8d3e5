use federation::{MembershipError, membership::Entering};
use room::{MemberAction, MemberChange, Membership, RoomError};
use ruma::{OwnedServerName, RoomId, UserId};
use serde_json::{Map, Value};

use crate::{FlowError, Flows, Result};

/// How far this server got by itself.
pub(super) enum Here {
    /// All the way; whether that took an event.
    Done(bool),
    /// It is not in the room.
    Outside,
    /// It is in the room, but cannot let the user in.
    Unable(RoomError),
}

impl Flows {
    /// Brings a user into a room, with further content for the member event; through one of the servers `via`, the
    /// inviter's or those of the room if need be. Coming from a room that it replaces, they keep what they had set for
    /// that one.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`] and [`federation::Memberships::join`]; [`FlowError::GuestsForbidden`].
    pub async fn join(
        &self,
        user: &UserId,
        room: &RoomId,
        via: &[OwnedServerName],
        reason: Option<String>,
        extra: Map<String, Value>,
    ) -> Result<()> {
        self.check_guest(user, room).await?;
        let profile = self.member_profile(user).await?;
        let change = MemberChange::own(user, MemberAction::Join);
        let change = change.with_profile(profile).with_reason(reason).with_extra(extra);
        if self.enter(room, &change, via).await? {
            self.carry_over(user, room).await?;
        }
        Ok(())
    }

    /// Joins here or elsewhere; answers whether that took an event.
    async fn enter(&self, room: &RoomId, change: &MemberChange, via: &[OwnedServerName]) -> Result<bool> {
        if let Here::Done(changed) = self.here(room, change).await? {
            return Ok(changed);
        }
        // Of several who want to come in at the same time, one brings the room here.
        let _turn = self.memberships.turn(room).await;
        let unable = match self.here(room, change).await? {
            Here::Done(changed) => return Ok(changed),
            Here::Outside => None,
            Here::Unable(error) => Some(error),
        };
        let (content, via) = (change.content(), self.ways(room, &change.target, via).await?);
        let entering = Entering { room_id: room, user: &change.target, content: &content, via: &via };
        match (self.memberships.join(entering).await, unable) {
            (Ok(()), _) => Ok(true),
            // Nobody else could help: what is wrong here tells the user more.
            (Err(MembershipError::NoServer), Some(error)) => Err(error.into()),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Makes the change in a room that this server is in.
    pub(super) async fn here(&self, room: &RoomId, change: &MemberChange) -> Result<Here> {
        if !self.rooms.takes_part(&self.rooms.db().view(), room).await? {
            return Ok(Here::Outside);
        }
        match self.rooms.change_member(room, change).await {
            Ok(changed) => Ok(Here::Done(changed)),
            Err(error @ (RoomError::UnableToAuthorise(_) | RoomError::UnableToGrant(_))) => Ok(Here::Unable(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// The servers through which a user may come into a room, best first.
    pub(super) async fn ways(
        &self,
        room: &RoomId,
        user: &UserId,
        via: &[OwnedServerName],
    ) -> Result<Vec<OwnedServerName>> {
        let mut ways = via.to_vec();
        let view = self.rooms.db().view();
        let num = match self.rooms.num(&view, room).await {
            Err(RoomError::UnknownRoom) => return Ok(ways),
            other => other?,
        };
        let part = self.rooms.user_room(&view, user, num).await?.map(|part| part.value);
        if let Some(part) = part.filter(|part| part.membership == Membership::Invite) {
            let invite = self.rooms.row(&view, num, part.event).await?;
            ways.extend(<&UserId>::try_from(invite.event.sender()).map(|inviter| inviter.server_name().to_owned()));
        }
        // Who named servers knows better than what was left here when this server left the room.
        if ways.is_empty() || self.rooms.takes_part(&view, room).await? {
            ways.extend(self.rooms.servers_in(&view, num).await?);
            ways.push(self.rooms.info(&view, num).await?.creator.server_name().to_owned());
        }
        Ok(ways)
    }

    /// Keeps guests out of rooms that do not let them in.
    ///
    /// # Errors
    /// [`FlowError::GuestsForbidden`]; [`RoomError::UnknownRoom`] for a guest.
    pub async fn check_guest(&self, user: &UserId, room: &RoomId) -> Result<()> {
        if !self.accounts.user(user).await?.is_some_and(|account| account.guest) {
            return Ok(());
        }
        let view = self.rooms.db().view();
        let room = self.rooms.num(&view, room).await?;
        let open = self.rooms.summary(&view, room).await?.guest_can_join;
        if open { Ok(()) } else { Err(FlowError::GuestsForbidden) }
    }
}
