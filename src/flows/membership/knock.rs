use federation::membership::Entering;
use room::{MemberAction, MemberChange};
use ruma::{OwnedServerName, RoomId, UserId};

use super::join::Here;
use crate::{Flows, Result};

impl Flows {
    /// Asks to be let into a room, through one of the servers `via` or those of the room if need be.
    ///
    /// # Errors
    /// As [`room::Rooms::change_member`] and [`federation::Memberships::knock`].
    pub async fn knock(
        &self,
        user: &UserId,
        room: &RoomId,
        via: &[OwnedServerName],
        reason: Option<String>,
    ) -> Result<()> {
        let profile = self.member_profile(user).await?;
        let change = MemberChange::own(user, MemberAction::Knock).with_profile(profile).with_reason(reason);
        match self.here(room, &change).await? {
            Here::Done(_) => Ok(()),
            Here::Unable(error) => Err(error.into()),
            Here::Outside => {
                let (content, via) = (change.content(), self.ways(room, user, via).await?);
                let entering = Entering { room_id: room, user, content: &content, via: &via };
                Ok(self.memberships.knock(entering).await?)
            }
        }
    }
}
