//! Uploading the keys of a device.

use std::collections::BTreeMap;

use account::tables::DEVICES;
use kv::{Read, Tx};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, DeviceId, UserId};

use crate::{
    E2eeError, KeyCounts, Keys, Result, changes, json, one_time,
    tables::{DEVICE_KEYS, SIGNATURES},
};

/// Largest key of a device or user of ours, in bytes: it fits into a message to other servers with what is around it.
pub const MAX_OWN_KEY_BYTES: usize = 60_000;

/// What a device uploads.
#[derive(Debug, Clone, Default)]
pub struct DeviceUpload {
    /// Its identity keys.
    pub device_keys: Option<CanonicalJsonObject>,
    /// One-time keys by `algorithm:id`.
    pub one_time: BTreeMap<String, CanonicalJsonObject>,
    /// Fallback keys by `algorithm:id`.
    pub fallback: BTreeMap<String, CanonicalJsonObject>,
}

impl Keys {
    /// Stores keys of a device; the same keys may come again. Client-server API, `POST /keys/upload`.
    ///
    /// # Errors
    /// [`E2eeError::KeyExists`], [`E2eeError::InvalidParam`], [`E2eeError::Malformed`], [`E2eeError::UnknownDevice`].
    pub async fn upload(&self, user: &UserId, device: &DeviceId, upload: &DeviceUpload) -> Result<KeyCounts> {
        if let Some(keys) = &upload.device_keys {
            check(user, device, keys)?;
        }
        let queue = self.queue(user).await;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if !tx.has(&DEVICES, (user, device)).await? {
                return Err(E2eeError::UnknownDevice);
            }
            upload_in(&mut tx, user, device, upload).await?;
            tx.commit().await?;
            Ok(())
        })
        .await?;
        drop(queue);
        self.counts(&self.db.view(), user, device).await
    }
}

/// Stores keys of a device that is there, inside `tx`.
pub async fn upload_in(tx: &mut Tx, user: &UserId, device: &DeviceId, upload: &DeviceUpload) -> Result<()> {
    if let Some(keys) = &upload.device_keys {
        let mut keys = keys.clone();
        keys.remove("unsigned");
        let text = json::text(&keys);
        let old = tx.get(&DEVICE_KEYS, (user, device)).await?;
        if old.as_ref() != Some(&text) {
            tx.put(&DEVICE_KEYS, (user, device), &text);
            if old.is_some_and(|old| json::signed_part(&json::object(&old)) != json::signed_part(&keys)) {
                tx.clear(&SIGNATURES, &(user, device.as_str()));
            }
            changes::mark(tx, user).await?;
        }
    }
    if !upload.one_time.is_empty() {
        let slot = tx.stamp();
        one_time::add(tx, user, device, slot, &upload.one_time).await?;
    }
    one_time::set_fallbacks(tx, user, device, &upload.fallback).await
}

/// Identity keys have all the parts that the specification requires, and are those of the device that sends them.
pub fn check(user: &UserId, device: &DeviceId, keys: &CanonicalJsonObject) -> Result<()> {
    let are_strings = |object: &CanonicalJsonObject| object.values().all(|value| value.as_str().is_some());
    let algorithms = keys.get("algorithms").and_then(CanonicalJsonValue::as_array);
    let signatures = json::member(keys, "signatures");
    let has_all = algorithms.is_some_and(|names| names.iter().all(|name| name.as_str().is_some()))
        && json::member(keys, "keys").is_some_and(are_strings)
        && signatures.is_some_and(|all| all.values().all(|of| of.as_object().is_some_and(are_strings)));
    if !has_all {
        return Err(E2eeError::Malformed("device_keys need algorithms, keys and signatures"));
    }
    if json::text(keys).len() > MAX_OWN_KEY_BYTES {
        return Err(E2eeError::InvalidParam("the keys are too large to be told to other servers"));
    }
    let (of, sent) =
        ((json::string(keys, "user_id"), json::string(keys, "device_id")), (user.as_str(), device.as_str()));
    if of != (Some(sent.0), Some(sent.1)) {
        return Err(E2eeError::InvalidParam("device_keys are not those of the device that sends them"));
    }
    Ok(())
}
