//! Profiles, of users of this server and of others.

use account::ProfileError;
use federation::Call;
use ruma::{UserId, api::federation::query::get_profile_information::v1::Request};
use serde_json::{Map, Value};

use super::{is_unknown, waited_for};
use crate::{Flows, Result};

/// Largest answer, in bytes: a profile has less than 64 KiB.
const MAX_BYTES: usize = 128 << 10;

impl Flows {
    /// The whole profile of a user of any server.
    ///
    /// # Errors
    /// [`ProfileError::UnknownUser`], [`crate::FlowError::Remote`].
    pub async fn profile_of(&self, user: &UserId) -> Result<Map<String, Value>> {
        if user.server_name() == self.rooms.server() {
            // An application service may bring somebody who is not known yet.
            self.is_active(user).await?;
            return Ok(self.profiles.get(user).await?);
        }
        self.remote_profile(user, None).await
    }

    /// One field of the profile of a user of any server, if it is set.
    ///
    /// # Errors
    /// As [`Flows::profile_of`].
    pub async fn profile_field(&self, user: &UserId, key: &str) -> Result<Option<Value>> {
        if user.server_name() == self.rooms.server() {
            self.is_active(user).await?;
            return Ok(self.profiles.field(user, key).await?);
        }
        Ok(self.remote_profile(user, Some(key)).await?.remove(key))
    }

    async fn remote_profile(&self, user: &UserId, field: Option<&str>) -> Result<Map<String, Value>> {
        let mut request = Request::new(user.to_owned());
        request.field = field.map(Into::into);
        let call = waited_for(Call::of(request)?).max_bytes(MAX_BYTES);
        match self.federation.call(user.server_name(), call).await {
            Err(error) if is_unknown(&error) => Err(ProfileError::UnknownUser.into()),
            other => Ok(other?.json()?),
        }
    }
}
