//! Keys of users of other servers, kept in the same tables as those of our users: signatures are added and shown in
//! the same way. Whether they are up to date is for `federation` to know.

use std::collections::BTreeMap;

use kv::{Read, Stamp, Tx};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, DeviceId, OwnedDeviceId, UserId};

use crate::{
    CrossSigning, Keys, changes, cross_signing, json,
    tables::{CHANGED, CROSS_SIGNING, DEVICE_KEYS, SIGNATURES},
};

/// Largest key of a device or user that is kept, in bytes.
pub const MAX_KEY_BYTES: usize = 65_536;

/// Longest name of a device that is kept, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// The keys of a user as their server tells them, checked by [`identity_keys`] and [`cross_signing_key`].
#[derive(Debug, Clone, Default)]
pub struct RemoteKeys {
    /// Identity keys by device.
    pub devices: BTreeMap<OwnedDeviceId, String>,
    /// The master key.
    pub master: Option<String>,
    /// The key that signs the user's devices.
    pub self_signing: Option<String>,
}

/// Identity keys as they are kept, if they are those of `device` and have all parts that matter here.
pub fn identity_keys(user: &UserId, device: &DeviceId, text: &str) -> Option<String> {
    let keys: CanonicalJsonObject = serde_json::from_str(text).ok().filter(|_| text.len() <= MAX_KEY_BYTES)?;
    let is_right = json::string(&keys, "user_id") == Some(user.as_str())
        && json::string(&keys, "device_id") == Some(device.as_str())
        && keys.get("algorithms").is_some_and(|algorithms| algorithms.as_array().is_some())
        && json::member(&keys, "keys").is_some()
        && keys.get("signatures").is_none_or(|signatures| signatures.as_object().is_some())
        && keys.get("unsigned").is_none_or(|unsigned| unsigned.as_object().is_some());
    is_right.then(|| json::text(&keys))
}

/// Identity keys, as [`identity_keys`] gives them, with the name that the device has for others.
pub fn named(text: String, name: Option<&str>) -> String {
    let Some(name) = name.filter(|name| name.len() <= MAX_NAME_BYTES) else { return text };
    let mut keys = json::object(&text);
    let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
    if let CanonicalJsonValue::Object(unsigned) = keys.entry("unsigned".to_owned()).or_insert_with(empty) {
        unsigned.insert("device_display_name".to_owned(), CanonicalJsonValue::String(name.to_owned()));
    }
    json::text(&keys)
}

/// A cross-signing key as it is kept, if it is one of `user` for this use.
pub fn cross_signing_key(user: &UserId, kind: CrossSigning, text: &str) -> Option<String> {
    let key: CanonicalJsonObject = serde_json::from_str(text).ok().filter(|_| text.len() <= MAX_KEY_BYTES)?;
    let usage = key.get("usage").and_then(CanonicalJsonValue::as_array)?;
    let is_right = json::string(&key, "user_id") == Some(user.as_str())
        && usage.iter().any(|usage| usage.as_str() == Some(kind.usage()))
        && cross_signing::public(&key).is_some();
    is_right.then(|| json::text(&key))
}

impl Keys {
    /// Notes in `tx` that devices or keys of a user of another server changed.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn mark_changed(tx: &mut Tx, user: &UserId) -> kv::Result<()> {
        changes::mark(tx, user).await
    }

    /// When the devices or keys of a user last changed. A transaction that commits is sure of it.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn changed_at(read: &impl Read, user: &UserId) -> kv::Result<Option<Stamp>> {
        Ok(read.get(&CHANGED, user).await?.map(|row| row.at))
    }

    /// Puts all keys of a user of another server in place of those before, in `tx`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn replace_remote(tx: &mut Tx, user: &UserId, keys: &RemoteKeys) -> kv::Result<()> {
        let mut changed = false;
        for ((_, device), _) in tx.scan(&DEVICE_KEYS, DEVICE_KEYS.under(&(user,))).collect().await? {
            if !keys.devices.contains_key(&device) {
                changed |= put_device(tx, user, &device, None).await?;
            }
        }
        for (device, text) in &keys.devices {
            changed |= put_device(tx, user, device, Some(text)).await?;
        }
        changed |= put_key(tx, user, CrossSigning::Master, keys.master.as_ref()).await?;
        changed |= put_key(tx, user, CrossSigning::SelfSigning, keys.self_signing.as_ref()).await?;
        if changed { changes::mark(tx, user).await } else { Ok(()) }
    }

    /// Puts the keys of one device of a user of another server into `tx`; `None` removes them.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn put_remote_device(
        tx: &mut Tx,
        user: &UserId,
        device: &DeviceId,
        keys: Option<&String>,
    ) -> kv::Result<()> {
        put_device(tx, user, device, keys).await.map(drop)
    }

    /// Puts cross-signing keys of a user of another server into `tx`; those that are `None` stay.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn put_remote_cross_signing(
        tx: &mut Tx,
        user: &UserId,
        master: Option<&String>,
        self_signing: Option<&String>,
    ) -> kv::Result<()> {
        for (kind, key) in [(CrossSigning::Master, master), (CrossSigning::SelfSigning, self_signing)] {
            if key.is_some() {
                put_key(tx, user, kind, key).await?;
            }
        }
        Ok(())
    }

    /// Forgets the keys of a user of another server, in `tx`. What our users have signed stays: they verified that
    /// key, and it is shown again when it comes again.
    pub fn forget_remote(tx: &mut Tx, user: &UserId) {
        tx.clear(&DEVICE_KEYS, &(user,));
        tx.clear(&CROSS_SIGNING, &(user,));
    }
}

/// Whether that changed something.
async fn put_device(tx: &mut Tx, user: &UserId, device: &DeviceId, keys: Option<&String>) -> kv::Result<bool> {
    let old = tx.get(&DEVICE_KEYS, (user, device)).await?;
    if old.as_ref() == keys {
        return Ok(false);
    }
    match keys {
        Some(keys) => tx.put(&DEVICE_KEYS, (user, device), keys),
        None => tx.delete(&DEVICE_KEYS, (user, device)),
    }
    Ok(true)
}

/// Whether that changed something. Only master keys of other servers' users are signed here, so with a new one go the
/// signatures of all others.
async fn put_key(tx: &mut Tx, user: &UserId, kind: CrossSigning, key: Option<&String>) -> kv::Result<bool> {
    let old = tx.get(&CROSS_SIGNING, (user, kind.code())).await?;
    if old.as_ref() == key {
        return Ok(false);
    }
    if let Some(public) = key.and_then(|text| cross_signing::public(&json::object(text)))
        && kind == CrossSigning::Master
    {
        for ((_, target, ..), _) in tx.scan(&SIGNATURES, SIGNATURES.under(&(user,))).by(16).collect().await? {
            if target != public {
                tx.clear(&SIGNATURES, &(user, target.as_str()));
            }
        }
    }
    match key {
        Some(key) => tx.put(&CROSS_SIGNING, (user, kind.code()), key),
        None => tx.delete(&CROSS_SIGNING, (user, kind.code())),
    }
    Ok(true)
}
