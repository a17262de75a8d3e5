//! Profile changes go to the rooms of their user.

use futures::{StreamExt, stream};
use room::{MemberAction, MemberChange};
use ruma::UserId;
use serde_json::Value;

use crate::{Flows, Result, members::AT_ONCE};

impl Flows {
    /// Sets a field of a profile, or removes it by `None`; name and picture change in all rooms of the user.
    ///
    /// # Errors
    /// As [`account::Profiles::set`].
    pub async fn set_profile(&self, user: &UserId, key: &str, value: Option<Value>) -> Result<()> {
        self.profiles.set(user, key, value).await?;
        // Also if it was set before: that may have ended before all rooms had it.
        if matches!(key, "displayname" | "avatar_url") {
            self.spread_profile(user).await?;
        }
        Ok(())
    }

    /// Brings the member events of a user up to date with their profile. Doing it again does what is left.
    ///
    /// # Errors
    /// When storage fails. A room that does not take the event is passed over.
    pub async fn spread_profile(&self, user: &UserId) -> Result<()> {
        let profile = self.member_profile(user).await?;
        let rooms = self.rooms.joined_rooms(&self.rooms.db().view(), user).await?;
        let change = MemberChange::own(user, MemberAction::Profile).with_profile(profile);
        let changed = stream::iter(rooms).map(async |room| {
            let id = self.rooms.info(&self.rooms.db().view(), room).await?.id.clone();
            self.rooms.change_member(&id, &change).await
        });
        let results: Vec<_> = changed.buffer_unordered(AT_ONCE).collect().await;
        for error in results.into_iter().filter_map(std::result::Result::err) {
            match error {
                room::RoomError::Store(error) => return Err(error.into()),
                error => tracing::info!(%user, %error, "a room did not take a new profile"),
            }
        }
        Ok(())
    }
}
