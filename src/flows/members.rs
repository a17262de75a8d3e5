//! Memberships with what accounts know about those concerned.

use futures::{StreamExt, stream};
use room::{MemberProfile, Membership};
use ruma::{OwnedRoomId, OwnedServerName, RoomAliasId, RoomId, RoomOrAliasId, UserId};

use crate::{Flows, Result};

/// Rooms changed at the same time for one user.
pub(crate) const AT_ONCE: usize = 16;

impl Flows {
    /// The room that an id or alias stands for, and the servers that may be in it: those named, then those that the
    /// alias leads to.
    ///
    /// # Errors
    /// [`room::RoomError::UnknownAlias`]; [`crate::FlowError::Remote`].
    pub async fn place_of(
        &self,
        room: &RoomOrAliasId,
        mut via: Vec<OwnedServerName>,
    ) -> Result<(OwnedRoomId, Vec<OwnedServerName>)> {
        if let Ok(alias) = <&RoomAliasId>::try_from(room) {
            let (room, servers) = self.resolve_alias(alias).await?;
            via.extend(servers);
            return Ok((room, via));
        }
        let room = <&RoomId>::try_from(room).map(ToOwned::to_owned).map_err(|_| room::RoomError::UnknownRoom)?;
        Ok((room, via))
    }

    /// Name and picture of a user as member events show them; nothing for users of other servers.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn member_profile(&self, user: &UserId) -> Result<MemberProfile> {
        let (displayname, avatar_url) = self.profiles.for_member(user).await?;
        Ok(MemberProfile { displayname, avatar_url })
    }

    /// Leaves all rooms, rejects all invites and retracts all knocks. Doing it again does what is left.
    ///
    /// # Errors
    /// The first that happened, after all rooms were tried.
    pub async fn leave_all(&self, user: &UserId) -> Result<()> {
        let view = self.rooms.db().view();
        let parts = self.rooms.user_rooms(&view, user).await?;
        let present = |membership| matches!(membership, Membership::Join | Membership::Invite | Membership::Knock);
        let rooms = parts.into_iter().filter(|(_, part)| present(part.value.membership));
        let left = stream::iter(rooms).map(async |(room, _)| {
            let id = self.rooms.info(&self.rooms.db().view(), room).await?.id.clone();
            self.take_out(user, &id, None).await
        });
        let results: Vec<_> = left.buffer_unordered(AT_ONCE).collect().await;
        results.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }

    /// Ends an account: it leaves its rooms, then everything that it is goes.
    ///
    /// # Errors
    /// [`account::AccountError::UnknownUser`], or when storage fails.
    pub async fn deactivate(&self, user: &UserId, erase: bool) -> Result<()> {
        if let Err(error) = self.leave_all(user).await {
            // An account must end though one of its rooms is broken.
            tracing::warn!(%user, %error, "a deactivated user is still in some rooms");
        }
        if erase {
            self.rooms.erase(user).await?;
        }
        Ok(self.accounts.deactivate(user, erase).await?)
    }
}
