use room::{MemberAction, MemberChange, Membership};
use ruma::{RoomId, UserId};

use crate::{Flows, Result};

impl Flows {
    /// Takes a user out of a room, or ends their invite or knock. In a room that this server is not in, the other
    /// servers are told if they can be reached.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`].
    pub async fn leave(&self, user: &UserId, room: &RoomId, reason: Option<String>) -> Result<()> {
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
