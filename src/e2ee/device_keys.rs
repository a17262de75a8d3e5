//! Identity keys of devices, and what is told of a user's keys.

use std::collections::BTreeMap;

use account::tables::DEVICES;
use kv::{Read, View};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, DeviceId, OwnedDeviceId, UserId};

use crate::{
    CrossSigning, E2eeError, KeyCounts, Keys, Result, changes, json, one_time,
    tables::{CROSS_SIGNING, DEVICE_KEYS, SIGNATURES},
};

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

/// The keys of a user as somebody sees them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeysOf {
    /// Identity keys by device, with `unsigned.device_display_name`.
    pub devices: BTreeMap<OwnedDeviceId, CanonicalJsonObject>,
    /// The master key.
    pub master: Option<CanonicalJsonObject>,
    /// The key that signs the user's devices.
    pub self_signing: Option<CanonicalJsonObject>,
    /// The key that signs other users' master keys; only for the user.
    pub user_signing: Option<CanonicalJsonObject>,
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
                    changes::mark(&mut tx, user).await?;
                }
            }
            if !upload.one_time.is_empty() {
                let slot = tx.stamp();
                one_time::add(&mut tx, user, device, slot, &upload.one_time).await?;
            }
            one_time::set_fallbacks(&mut tx, user, device, &upload.fallback).await?;
            tx.commit().await?;
            Ok(())
        })
        .await?;
        drop(queue);
        self.counts(&self.db.view(), user, device).await
    }

    /// What `asker` sees of the keys of `user`, one of ours; all devices if `devices` is empty. Client-server API,
    /// `POST /keys/query`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn query(&self, asker: &UserId, user: &UserId, devices: &[OwnedDeviceId]) -> Result<KeysOf> {
        let view = self.db.view();
        let mut signatures: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for ((_, target, signer, key), signature) in
            view.scan(&SIGNATURES, SIGNATURES.under(&(user,))).collect().await?
        {
            if signer == user || signer == asker {
                signatures.entry(target).or_default().push((signer, key, signature));
            }
        }
        let complete = |target: &str, mut keys: CanonicalJsonObject| {
            for (signer, key, signature) in signatures.get(target).into_iter().flatten() {
                json::add_signature(&mut keys, signer.as_str(), key, signature);
            }
            keys
        };
        let mut found = KeysOf::default();
        for ((_, device), text) in view.scan(&DEVICE_KEYS, DEVICE_KEYS.under(&(user,))).collect().await? {
            if devices.is_empty() || devices.contains(&device) {
                let mut keys = complete(device.as_str(), json::object(&text));
                keys.insert("unsigned".to_owned(), unsigned(&view, user, &device).await?);
                found.devices.insert(device, keys);
            }
        }
        let cross = async |kind: CrossSigning| -> Result<Option<CanonicalJsonObject>> {
            let Some(text) = view.get(&CROSS_SIGNING, (user, kind.code())).await? else { return Ok(None) };
            let key = json::object(&text);
            Ok(Some(complete(&crate::cross_signing::public(&key).unwrap_or_default(), key)))
        };
        found.master = cross(CrossSigning::Master).await?;
        found.self_signing = cross(CrossSigning::SelfSigning).await?;
        if asker == user {
            found.user_signing = cross(CrossSigning::UserSigning).await?;
        }
        Ok(found)
    }
}

/// Identity keys have all the parts that the specification requires, and are those of the device that sends them.
fn check(user: &UserId, device: &DeviceId, keys: &CanonicalJsonObject) -> Result<()> {
    let has_all = keys.get("algorithms").is_some_and(|algorithms| algorithms.as_array().is_some())
        && json::member(keys, "keys").is_some()
        && json::member(keys, "signatures").is_some();
    if !has_all {
        return Err(E2eeError::Malformed("device_keys need algorithms, keys and signatures"));
    }
    let (of, sent) =
        ((json::string(keys, "user_id"), json::string(keys, "device_id")), (user.as_str(), device.as_str()));
    if of != (Some(sent.0), Some(sent.1)) {
        return Err(E2eeError::InvalidParam("device_keys are not those of the device that sends them"));
    }
    Ok(())
}

/// `unsigned` of a device's keys.
async fn unsigned(view: &View, user: &UserId, device: &DeviceId) -> kv::Result<CanonicalJsonValue> {
    let name = view.get(&DEVICES, (user, device)).await?.and_then(|row| row.display_name);
    let named = name.map(|name| ("device_display_name".to_owned(), CanonicalJsonValue::String(name)));
    Ok(CanonicalJsonValue::Object(named.into_iter().collect()))
}
