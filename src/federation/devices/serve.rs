//! What other servers are answered about our users.

use std::collections::BTreeMap;

use account::tables::USERS;
use e2ee::KeysOf;
use kv::Read;
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{DeviceError, RemoteDevices, Result, announce::FIRST, query::Wanted, tables::STREAMS};

/// The whole list of a user's devices. Server-server API, `GET /user/devices/{userId}`.
#[derive(Debug, Serialize)]
pub struct DeviceList {
    user_id: OwnedUserId,
    stream_id: u64,
    devices: Vec<Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    master_key: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_signing_key: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct Device {
    device_id: OwnedDeviceId,
    keys: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_display_name: Option<String>,
}

impl RemoteDevices {
    /// The devices of a user of ours that have keys, for another server.
    ///
    /// # Errors
    /// [`DeviceError::UnknownUser`]
    pub async fn list(&self, user: &UserId) -> Result<DeviceList> {
        let view = self.db.view();
        if view.get(&USERS, user).await?.is_none_or(|row| row.deactivated) {
            return Err(DeviceError::UnknownUser);
        }
        let stream_id = view.get(&STREAMS, user).await?.unwrap_or(FIRST);
        let (devices, [master_key, self_signing_key]) = self.told_of(&view, user).await?;
        let devices = devices.into_iter().filter_map(|(device_id, info)| {
            Some(Device { device_id, keys: info.keys?, device_display_name: info.name })
        });
        Ok(DeviceList { user_id: user.to_owned(), stream_id, devices: devices.collect(), master_key, self_signing_key })
    }

    /// The keys of users of ours, for another server.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn told(&self, wanted: &Wanted) -> Result<BTreeMap<OwnedUserId, KeysOf>> {
        let view = self.db.view();
        let mut found = BTreeMap::new();
        for (user, devices) in wanted {
            if self.is_ours(user) {
                // A user sees the names of their devices, and the signatures are the same.
                let mut keys = self.keys.query_in(&view, None, user, devices).await?;
                if self.tells_names {
                    keys.devices = self.keys.query_in(&view, Some(user), user, devices).await?.devices;
                }
                found.insert(user.clone(), keys);
            }
        }
        Ok(found)
    }
}
