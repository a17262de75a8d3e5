use std::sync::Arc;

use account::{InviteFilter, InviteVerdict};
use event::Pdu;
use federation::membership::IncomingInvite;
use room::{MemberAction, MemberChange};
use ruma::{RoomId, UserId};

use crate::{FlowError, Flows, Result};

impl Flows {
    /// Invites a user into a room.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`] and [`federation::Memberships::invite`]; [`FlowError::InviteBlocked`],
    /// [`FlowError::UnknownUser`], [`FlowError::Unfederated`].
    pub async fn invite(&self, sender: &UserId, room: &RoomId, target: &UserId, reason: Option<String>) -> Result<()> {
        self.check_invitee(sender, target).await?;
        let profile = self.member_profile(target).await?;
        let action = MemberAction::Invite { is_direct: false };
        let change = MemberChange::of(sender, target, action).with_profile(profile).with_reason(reason);
        match target.server_name() == self.rooms.server() {
            true => self.rooms.change_member(room, &change).await?,
            false => self.memberships.invite(room, &change).await?,
        };
        Ok(())
    }

    /// Takes an invite of one of our users to a room of another server; answers it with our signature.
    ///
    /// # Errors
    /// As [`federation::Memberships::check_invite`] and [`Flows::check_invitee`].
    pub async fn take_invite(&self, incoming: IncomingInvite<'_>) -> Result<Arc<Pdu>> {
        let checked = self.memberships.check_invite(incoming).await?;
        self.check_invitee(checked.sender(), &checked.user).await?;
        Ok(self.memberships.take_invite(checked).await?)
    }

    /// Whether there is this user of this server, asking application services for one that is not known yet.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn is_active(&self, user: &UserId) -> Result<bool> {
        Ok(match self.accounts.user(user).await? {
            Some(row) => !row.deactivated,
            None => self.appservices.brings_user(user).await && self.accounts.is_active(user).await?,
        })
    }

    /// Refuses invites of `sender` that cannot reach their target or that it does not want.
    ///
    /// # Errors
    /// [`FlowError::InviteBlocked`], [`FlowError::UnknownUser`], [`FlowError::Unfederated`].
    pub async fn check_invitee(&self, sender: &UserId, target: &UserId) -> Result<()> {
        if target.server_name() != self.rooms.server() {
            // What that user wants, their server knows.
            let federates = self.federation.policy().allows(target.server_name());
            return if federates { Ok(()) } else { Err(FlowError::Unfederated) };
        }
        if !self.is_active(target).await? {
            return Err(FlowError::UnknownUser);
        }
        let wanted = InviteFilter::of(&self.rooms.db().view(), target).await?;
        match wanted.verdict(sender) {
            InviteVerdict::Refuse => Err(FlowError::InviteBlocked),
            // Who is to be hidden from the target is not to be found out by others: see sync.
            InviteVerdict::Show | InviteVerdict::Hide => Ok(()),
        }
    }
}
