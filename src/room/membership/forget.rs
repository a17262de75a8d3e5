//! Forgetting rooms, and who is in them.

use kv::{Read, Stamped};
use ruma::{OwnedUserId, RoomId, UserId};

use crate::{
    MemberProfile, Membership, Result, RoomError, Rooms, UserRoom,
    num::RoomNum,
    tables::{INVITE_STATES, USER_ROOMS},
};

impl Rooms {
    /// Makes a room that `user` has left vanish from everything they see; a new invite brings it back.
    ///
    /// Somebody who never had a part in the room has nothing to forget.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::StillInRoom`].
    pub async fn forget(&self, room_id: &RoomId, user: &UserId) -> Result<()> {
        let room = self.num(&self.db.view(), room_id).await?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let Some(Stamped { at, value }) = tx.get(&USER_ROOMS, (user, room)).await? else { return Ok(()) };
            if !matches!(value.membership, Membership::Leave | Membership::Ban) {
                return Err(RoomError::StillInRoom);
            }
            if value.forgotten {
                return Ok(());
            }
            tx.put(&USER_ROOMS, (user, room), &Stamped { at, value: UserRoom { forgotten: true, ..value } });
            tx.delete(&INVITE_STATES, (user, room));
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// The rooms that a user is in.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn joined_rooms(&self, read: &impl Read, user: &UserId) -> Result<Vec<RoomNum>> {
        let rooms = self.user_rooms(read, user).await?;
        let joined = rooms.into_iter().filter(|(_, part)| part.value.membership == Membership::Join);
        Ok(joined.map(|(room, _)| room).collect())
    }

    /// The joined members of a room with their names and pictures there.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn joined_profiles(&self, read: &impl Read, room: RoomNum) -> Result<Vec<(OwnedUserId, MemberProfile)>> {
        let members = self.members(read, room, Membership::Join).await?;
        let rows = self.rows(read, room, members.iter().map(|member| member.event)).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(_, row)| {
                let user = UserId::parse(row.event.state_key()?).ok()?;
                Some((user, MemberProfile::of_content(row.event.content())))
            })
            .collect())
    }
}
