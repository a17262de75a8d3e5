//! Creating and replacing rooms.

use futures::{StreamExt, stream};
use room::{CreateRoom, MemberAction, MemberChange, RoomError, Upgrade};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UserId};

use crate::{Flows, Result, members::AT_ONCE};

/// Most users who are invited when a room is created: they are events of one transaction.
const MAX_INVITES: usize = 1000;

impl Flows {
    /// Creates a room, with the profiles of its creator and of those invited.
    ///
    /// # Errors
    /// As [`room::Rooms::create`] and [`Flows::check_invitee`]; [`RoomError::InvalidParam`] for too many invites.
    /// Nothing is created then.
    pub async fn create(&self, mut new: CreateRoom, invites: Vec<OwnedUserId>) -> Result<OwnedRoomId> {
        if invites.len() > MAX_INVITES {
            let reason = format!("a room begins with at most {MAX_INVITES} invites: send the rest later");
            return Err(RoomError::InvalidParam(reason).into());
        }
        new.profile = self.member_profile(&new.creator).await?;
        for user in invites {
            self.check_invitee(&new.creator, &user).await?;
            let profile = self.member_profile(&user).await?;
            new.invites.push((user, profile));
        }
        let room = self.rooms.create(&new).await?;
        let others = new.invites.iter().filter(|(user, _)| user.server_name() != self.rooms.server());
        let invited = stream::iter(others).for_each_concurrent(AT_ONCE, async |(user, _)| {
            let action = MemberAction::Invite { is_direct: new.is_direct };
            let change = MemberChange::of(&*new.creator, &**user, action);
            // The room is there: who cannot be reached now can be invited again.
            if let Err(error) = self.memberships.invite(&room, &change).await {
                tracing::info!(%room, %user, %error, "somebody of another server could not be invited");
            }
        });
        invited.await;
        Ok(room)
    }

    /// Replaces a room by one of another version.
    ///
    /// # Errors
    /// As [`room::Rooms::upgrade`].
    pub async fn upgrade(
        &self,
        user: &UserId,
        room: &RoomId,
        version: RoomVersionId,
        additional_creators: Vec<OwnedUserId>,
    ) -> Result<OwnedRoomId> {
        let profile = self.member_profile(user).await?;
        let upgrade = Upgrade { user: user.to_owned(), profile, version, additional_creators };
        let new = self.rooms.upgrade(room, &upgrade).await?;
        self.carry_over(user, &new).await?;
        Ok(new)
    }
}
