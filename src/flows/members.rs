//! Memberships with what accounts know about those concerned.

use futures::{StreamExt, stream};
use room::{MemberAction, MemberChange, MemberProfile, Membership};
use ruma::{OwnedRoomId, RoomAliasId, RoomId, RoomOrAliasId, UserId};
use serde_json::{Map, Value};

use crate::{FlowError, Flows, Result};

/// Rooms changed at the same time for one user.
pub(crate) const AT_ONCE: usize = 16;

impl Flows {
    /// The room that an id or alias stands for.
    ///
    /// # Errors
    /// [`room::RoomError::UnknownAlias`].
    pub async fn room_of(&self, room: &RoomOrAliasId) -> Result<OwnedRoomId> {
        if let Ok(alias) = <&RoomAliasId>::try_from(room) {
            return Ok(self.resolve_alias(alias).await?.0);
        }
        <&RoomId>::try_from(room).map(ToOwned::to_owned).map_err(|_| room::RoomError::UnknownRoom.into())
    }

    /// Name and picture of a user as member events show them; nothing for users of other servers.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn member_profile(&self, user: &UserId) -> Result<MemberProfile> {
        let (displayname, avatar_url) = self.profiles.for_member(user).await?;
        Ok(MemberProfile { displayname, avatar_url })
    }

    /// Brings a user into a room, with further content for the member event. Coming from a room that it replaces,
    /// they keep what they had set for that one.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`]; [`FlowError::GuestsForbidden`].
    pub async fn join(
        &self,
        user: &UserId,
        room: &RoomId,
        reason: Option<String>,
        extra: Map<String, Value>,
    ) -> Result<()> {
        self.check_guest(user, room).await?;
        let profile = self.member_profile(user).await?;
        let change = MemberChange::own(user, MemberAction::Join);
        let change = change.with_profile(profile).with_reason(reason).with_extra(extra);
        if self.rooms.change_member(room, &change).await? {
            self.carry_over(user, room).await?;
        }
        Ok(())
    }

    /// Asks to be let into a room.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`].
    pub async fn knock(&self, user: &UserId, room: &RoomId, reason: Option<String>) -> Result<()> {
        let profile = self.member_profile(user).await?;
        let change = MemberChange::own(user, MemberAction::Knock).with_profile(profile).with_reason(reason);
        self.rooms.change_member(room, &change).await?;
        Ok(())
    }

    /// Invites a user into a room.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`]; [`FlowError::InviteBlocked`], [`FlowError::UnknownUser`],
    /// [`FlowError::Unfederated`].
    pub async fn invite(&self, sender: &UserId, room: &RoomId, target: &UserId, reason: Option<String>) -> Result<()> {
        self.check_invitee(target).await?;
        let profile = self.member_profile(target).await?;
        let action = MemberAction::Invite { is_direct: false };
        let change = MemberChange::of(sender, target, action).with_profile(profile).with_reason(reason);
        self.rooms.change_member(room, &change).await?;
        Ok(())
    }

    /// Refuses invites that cannot reach their target or that it does not want.
    ///
    /// # Errors
    /// [`FlowError::InviteBlocked`], [`FlowError::UnknownUser`], [`FlowError::Unfederated`].
    pub async fn check_invitee(&self, target: &UserId) -> Result<()> {
        if target.server_name() != self.rooms.server() {
            return Err(FlowError::Unfederated);
        }
        if !self.accounts.is_active(target).await? {
            return Err(FlowError::UnknownUser);
        }
        let config = self.account_data.get(target, None, "m.invite_permission_config").await?;
        let config: Value = config.and_then(|config| serde_json::from_str(&config).ok()).unwrap_or_default();
        if config.get("default_action").and_then(Value::as_str) == Some("block") {
            return Err(FlowError::InviteBlocked);
        }
        Ok(())
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
            self.rooms.change_member(&id, &MemberChange::own(user, MemberAction::Leave)).await
        });
        let results: Vec<_> = left.buffer_unordered(AT_ONCE).collect().await;
        results.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(error.into()))
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
        Ok(self.accounts.deactivate(user, erase).await?)
    }

    async fn check_guest(&self, user: &UserId, room: &RoomId) -> Result<()> {
        if !self.accounts.user(user).await?.is_some_and(|account| account.guest) {
            return Ok(());
        }
        let view = self.rooms.db().view();
        let room = self.rooms.num(&view, room).await?;
        let open = self.rooms.summary(&view, room).await?.guest_can_join;
        if open { Ok(()) } else { Err(FlowError::GuestsForbidden) }
    }
}
