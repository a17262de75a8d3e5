use std::collections::{HashMap, HashSet};

use account::AccountData;
use room::{Rooms, Viewer};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde::{Deserialize, de::IgnoredAny};

use crate::MatrixError;

/// Who reads events, with what decides on how they look.
#[derive(Debug)]
pub struct Reader {
    user: OwnedUserId,
    device: Option<OwnedDeviceId>,
    now: u64,
    ignored: HashSet<OwnedUserId>,
}

#[derive(Deserialize)]
struct IgnoredUsers {
    ignored_users: HashMap<OwnedUserId, IgnoredAny>,
}

impl Reader {
    /// The caller, with the users whom they ignore.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn new(
        data: &AccountData,
        rooms: &Rooms,
        user: &UserId,
        device: Option<&DeviceId>,
    ) -> Result<Self, MatrixError> {
        let list = data.get(user, None, "m.ignored_user_list").await?;
        let list = list.and_then(|json| serde_json::from_str::<IgnoredUsers>(&json).ok());
        let ignored = list.map(|list| list.ignored_users.into_keys().collect()).unwrap_or_default();
        Ok(Self { user: user.to_owned(), device: device.map(ToOwned::to_owned), now: rooms.clock().now(), ignored })
    }

    /// As the domain takes it.
    pub fn viewer(&self) -> Viewer<'_> {
        Viewer { user: &self.user, device: self.device.as_deref(), now: self.now, ignored: &self.ignored }
    }
}
