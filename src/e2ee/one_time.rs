//! Uploading one-time and fallback keys.

use std::collections::BTreeMap;

use kv::{Read, Slot, Tx};
use ruma::{CanonicalJsonObject, DeviceId, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    E2eeError, Keys, Result, json,
    tables::{COUNTS, FALLBACK, Fallback, HEADS, LEFT, ONE_TIME, ONE_TIME_IDS, Seen, StoredKey},
};

/// Every client reads its count, also when there are none.
const USUAL: &str = "signed_curve25519";

/// Most keys in one upload.
const MAX_PER_UPLOAD: usize = 1000;
/// Most unclaimed keys of one algorithm that are kept for a device; clients keep 50.
const MAX_UNCLAIMED: u64 = 20_000;
/// Largest one-time or fallback key in bytes.
const MAX_KEY_BYTES: usize = 8192;

/// What a device has left of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyCounts {
    /// Unclaimed one-time keys by algorithm.
    pub one_time: BTreeMap<String, u64>,
    /// Algorithms of which a fallback key is unused.
    pub unused_fallbacks: Vec<String>,
}
kv::value!(KeyCounts);

impl KeyCounts {
    pub(crate) fn set_one_time(&mut self, algorithm: &str, count: u64) {
        self.one_time.insert(algorithm.to_owned(), count);
    }
}

/// The algorithm of a key id.
pub fn algorithm(id: &str) -> Result<&str> {
    match id.split_once(':') {
        Some((algorithm, name)) if !algorithm.is_empty() && !name.is_empty() => Ok(algorithm),
        _ => Err(E2eeError::InvalidParam("a key id is an algorithm, a colon and a name")),
    }
}

/// The text of a one-time or fallback key as it is stored.
fn text(key: &CanonicalJsonObject) -> Result<String> {
    let text = json::text(key);
    if text.len() > MAX_KEY_BYTES { Err(E2eeError::InvalidParam("a key is too large")) } else { Ok(text) }
}

/// Adds one-time keys in `tx`.
pub async fn add(
    tx: &mut Tx,
    user: &UserId,
    device: &DeviceId,
    slot: Slot,
    keys: &BTreeMap<String, CanonicalJsonObject>,
) -> Result<()> {
    if keys.len() > MAX_PER_UPLOAD {
        return Err(E2eeError::InvalidParam("too many keys at once"));
    }
    let mut added: BTreeMap<&str, u64> = BTreeMap::new();
    for (index, (id, key)) in (0..).zip(keys) {
        let algorithm = algorithm(id)?;
        let text = text(key)?;
        let hash = *blake3::hash(text.as_bytes()).as_bytes();
        match tx.get(&ONE_TIME_IDS, (user, device, id)).await? {
            Some(seen) if seen.hash == hash => continue,
            Some(seen) if !seen.claimed => return Err(E2eeError::KeyExists(id.clone())),
            Some(_) | None => {}
        }
        tx.put(&ONE_TIME_IDS, (user, device, id), &Seen { hash, claimed: false });
        tx.put(&ONE_TIME, (user, device, algorithm, slot, index), &StoredKey { id: id.clone(), json: text });
        *added.entry(algorithm).or_default() += 1;
    }
    for (algorithm, n) in added {
        // Keys of another writer may come before.
        tx.delete(&HEADS, (user, device, algorithm));
        let count = tx.get(&COUNTS, (user, device, algorithm)).await?.unwrap_or(0).saturating_add(n);
        if count > MAX_UNCLAIMED {
            return Err(E2eeError::InvalidParam("too many keys are unclaimed"));
        }
        tx.put(&COUNTS, (user, device, algorithm), &count);
        change_left(tx, user, device, |left| left.set_one_time(algorithm, count)).await?;
    }
    Ok(())
}

/// Changes what is left of a device's keys, where that is noted.
pub async fn change_left(
    tx: &mut Tx,
    user: &UserId,
    device: &DeviceId,
    change: impl FnOnce(&mut KeyCounts),
) -> kv::Result<()> {
    if let Some(mut left) = tx.get(&LEFT, (user, device)).await? {
        change(&mut left);
        tx.put(&LEFT, (user, device), &left);
    }
    Ok(())
}

/// Sets fallback keys in `tx`; one that is there already stays as used as it is.
pub async fn set_fallbacks(
    tx: &mut Tx,
    user: &UserId,
    device: &DeviceId,
    keys: &BTreeMap<String, CanonicalJsonObject>,
) -> Result<()> {
    if keys.len() > MAX_PER_UPLOAD {
        return Err(E2eeError::InvalidParam("too many keys at once"));
    }
    for (id, key) in keys {
        let algorithm = algorithm(id)?;
        let key = StoredKey { id: id.clone(), json: text(key)? };
        let old = tx.get(&FALLBACK, (user, device, algorithm)).await?;
        if old.is_none_or(|old| old.key != key) {
            tx.put(&FALLBACK, (user, device, algorithm), &Fallback { key, used: false });
            let unused = |left: &mut KeyCounts| {
                left.unused_fallbacks.retain(|other| other != algorithm);
                left.unused_fallbacks.push(algorithm.to_owned());
                left.unused_fallbacks.sort_unstable();
            };
            change_left(tx, user, device, unused).await?;
        }
    }
    Ok(())
}

impl Keys {
    /// What is left of the keys of a device.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn counts(&self, read: &impl Read, user: &UserId, device: &DeviceId) -> Result<KeyCounts> {
        let mut counts = match read.peek(&LEFT, (user, device)).await? {
            Some(left) => left,
            None => counted(read, user, device).await?,
        };
        counts.one_time.entry(USUAL.to_owned()).or_default();
        Ok(counts)
    }
}

/// What is left of the keys of a device for which that is not noted.
pub async fn counted(read: &impl Read, user: &UserId, device: &DeviceId) -> Result<KeyCounts> {
    let one_time = read.scan(&COUNTS, COUNTS.under(&(user, device))).by(4).collect().await?;
    let fallbacks = read.scan(&FALLBACK, FALLBACK.under(&(user, device))).by(4).collect().await?;
    let unused = fallbacks.into_iter().filter(|(_, fallback)| !fallback.used);
    Ok(KeyCounts {
        one_time: one_time.into_iter().map(|((.., algorithm), count)| (algorithm, count)).collect(),
        unused_fallbacks: unused.map(|((.., algorithm), _)| algorithm).collect(),
    })
}
