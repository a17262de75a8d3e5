//! Creating and replacing rooms.

use room::{CreateRoom, MemberAction, MemberChange, Upgrade};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UserId};

use crate::{Flows, Result};

impl Flows {
    /// Creates a room, with the profiles of its creator and of those invited.
    ///
    /// # Errors
    /// As [`room::Rooms::create`] and [`Flows::check_invitee`]; nothing is created then.
    pub async fn create(&self, mut new: CreateRoom, invites: Vec<OwnedUserId>) -> Result<OwnedRoomId> {
        new.profile = self.member_profile(&new.creator).await?;
        for user in invites {
            self.check_invitee(&new.creator, &user).await?;
            let profile = self.member_profile(&user).await?;
            new.invites.push((user, profile));
        }
        let room = self.rooms.create(&new).await?;
        let others = new.invites.iter().filter(|(user, _)| user.server_name() != self.rooms.server());
        for (user, _) in others {
            let action = MemberAction::Invite { is_direct: new.is_direct };
            let change = MemberChange::of(&*new.creator, &**user, action);
            // The room is there: who cannot be reached now can be invited again.
            if let Err(error) = self.memberships.invite(&room, &change).await {
                tracing::info!(%room, %user, %error, "somebody of another server could not be invited");
            }
        }
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
