//! Handing out one-time keys.

use kv::{Pending, Read, Tx};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde_json::value::RawValue;

use crate::{
    KeyCounts, Keys, Result,
    one_time::change_left,
    tables::{CLAIMED, COUNTS, FALLBACK, Fallback, HEADS, Head, ONE_TIME, ONE_TIME_IDS, Seen, StoredKey},
};

/// Keys of a device that were claimed and are remembered, so that they do not come back with an upload; clients keep 50
/// unclaimed ones.
pub const REMEMBERED: u64 = 1000;

/// A key that was handed out.
#[derive(Debug)]
pub struct Claimed {
    /// Whose.
    pub user: OwnedUserId,
    /// Of which device.
    pub device: OwnedDeviceId,
    /// `algorithm:id`
    pub id: String,
    /// The key.
    pub key: Box<RawValue>,
}

impl Keys {
    /// Hands out one key of each device of our users, which nobody gets again: a one-time key, or the fallback key
    /// when there is none. Devices without either are left out. Client-server API, `POST /keys/claim`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn claim(&self, wanted: &[(OwnedUserId, OwnedDeviceId, String)]) -> Result<Vec<Claimed>> {
        let mut claimed = Vec::new();
        let mut pending = Vec::new();
        for (user, device, algorithm) in wanted {
            let Some((key, commit)) = self.claim_one(user, device, algorithm).await? else { continue };
            pending.push(commit);
            let text = RawValue::from_string(key.json)
                .map_err(|error| kv::Error::corrupt("e2ee.one_time_keys", error.to_string()))?;
            claimed.push(Claimed { user: user.clone(), device: device.clone(), id: key.id, key: text });
        }
        // A key leaves only when it is sure that it is not handed out again after a crash.
        for commit in pending {
            commit.durable().await?;
        }
        Ok(claimed)
    }

    async fn claim_one(
        &self,
        user: &UserId,
        device: &DeviceId,
        algorithm: &str,
    ) -> Result<Option<(StoredKey, Pending)>> {
        let _queue = self.queue(user).await;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let of = (user, device, algorithm);
            let unclaimed = match tx.get(&HEADS, of).await? {
                Some(head) => ONE_TIME.after(&of, &(user, device, algorithm, head.at, head.index)),
                None => ONE_TIME.under(&of),
            };
            let first = tx.scan(&ONE_TIME, unclaimed).by(1).next().await?;
            let key = if let Some((at, key)) = first {
                // Decides: whoever else takes this key conflicts.
                tx.get(&ONE_TIME, at.clone()).await?.ok_or(kv::Error::Conflict)?;
                tx.put(&HEADS, of, &Head { at: at.3, index: at.4 });
                tx.delete(&ONE_TIME, at);
                remember(&mut tx, user, device, &key.id).await?;
                let count = tx.get(&COUNTS, of).await?.unwrap_or(0).saturating_sub(1);
                tx.put(&COUNTS, of, &count);
                let one_less = |left: &mut KeyCounts| left.set_one_time(algorithm, count);
                change_left(&mut tx, user, device, one_less).await?;
                key
            } else {
                // The count decides too: keys that are uploaded meanwhile go first.
                tx.get(&COUNTS, of).await?;
                let Some(fallback) = tx.get(&FALLBACK, of).await? else { return Ok(None) };
                if !fallback.used {
                    tx.put(&FALLBACK, of, &Fallback { used: true, ..fallback.clone() });
                    let used = |left: &mut KeyCounts| left.unused_fallbacks.retain(|other| other != algorithm);
                    change_left(&mut tx, user, device, used).await?;
                }
                fallback.key
            };
            Ok(Some((key, tx.submit().await?)))
        })
        .await
    }
}

/// Notes that a key is claimed, and forgets one that was claimed long before.
async fn remember(tx: &mut Tx, user: &UserId, device: &DeviceId, id: &str) -> kv::Result<()> {
    if let Some(seen) = tx.get(&ONE_TIME_IDS, (user, device, id)).await? {
        tx.put(&ONE_TIME_IDS, (user, device, id), &Seen { claimed: true, ..seen });
    }
    let last = tx.scan_back(&CLAIMED, CLAIMED.under(&(user, device))).by(1).next().await?;
    let next = last.map_or(0, |((.., n), _)| n.saturating_add(1));
    // Decides: keys of different algorithms may be claimed at once.
    if tx.has(&CLAIMED, (user, device, next)).await? {
        return Err(kv::Error::Conflict);
    }
    tx.put(&CLAIMED, (user, device, next), &id.to_owned());
    let Some(first) = next.checked_sub(REMEMBERED) else { return Ok(()) };
    let Some(old) = tx.peek(&CLAIMED, (user, device, first)).await? else { return Ok(()) };
    tx.delete(&CLAIMED, (user, device, first));
    // Another key may have come under the same id.
    if tx.get(&ONE_TIME_IDS, (user, device, &old)).await?.is_some_and(|seen| seen.claimed) {
        tx.delete(&ONE_TIME_IDS, (user, device, &old));
    }
    Ok(())
}
