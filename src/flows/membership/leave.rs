use room::{MemberAction, MemberChange, Membership};
use ruma::{RoomId, UserId};

use crate::{FlowError, Flows, Result};

impl Flows {
    /// Takes a user out of a room, or ends their invite or knock. In a room that this server is not in, the other
    /// servers are told if they can be reached.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`]; [`FlowError::NoticesRoom`].
    pub async fn leave(&self, user: &UserId, room: &RoomId, reason: Option<String>) -> Result<()> {
        let num = self.rooms.num(&self.rooms.db().view(), room).await?;
        let membership = self.rooms.membership(&self.rooms.db().view(), user, num).await?;
        if membership == Membership::Invite && self.is_notices_room(num).await? {
            return Err(FlowError::NoticesRoom);
        }
        self.take_out(user, room, reason).await
    }

    /// As [`Flows::leave`], also out of rooms that nobody can refuse.
    pub(crate) async fn take_out(&self, user: &UserId, room: &RoomId, reason: Option<String>) -> Result<()> {
        let change = MemberChange::own(user, MemberAction::Leave).with_reason(reason);
        let view = self.rooms.db().view();
        let num = self.rooms.num(&view, room).await?;
        let part = self.rooms.user_room(&view, user, num).await?.map(|part| part.value);
        let is_open = part.is_some_and(|part| matches!(part.membership, Membership::Invite | Membership::Knock));
        if is_open && !self.rooms.takes_part(&view, room).await? {
            drop(view);
            return Ok(self.memberships.leave(num, user, &change.content()).await?);
        }
        drop(view);
        self.rooms.change_member(room, &change).await?;
        Ok(())
    }
}
