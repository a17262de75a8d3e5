//! Creating and replacing rooms.

use room::{CreateRoom, Upgrade};
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
            self.check_invitee(&user).await?;
            let profile = self.member_profile(&user).await?;
            new.invites.push((user, profile));
        }
        Ok(self.rooms.create(&new).await?)
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
