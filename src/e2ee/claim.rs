//! Handing out one-time keys.

use kv::{Pending, Read};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde_json::value::RawValue;

use crate::{
    Keys, Result,
    tables::{COUNTS, FALLBACK, Fallback, HEADS, Head, ONE_TIME, ONE_TIME_IDS, Seen, StoredKey},
};

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
                if let Some(seen) = tx.get(&ONE_TIME_IDS, (user, device, &key.id)).await? {
                    tx.put(&ONE_TIME_IDS, (user, device, &key.id), &Seen { claimed: true, ..seen });
                }
                let count = tx.get(&COUNTS, of).await?.unwrap_or(0);
                tx.put(&COUNTS, of, &count.saturating_sub(1));
                key
            } else {
                // The count decides too: keys that are uploaded meanwhile go first.
                tx.get(&COUNTS, of).await?;
                let Some(fallback) = tx.get(&FALLBACK, of).await? else { return Ok(None) };
                if !fallback.used {
                    tx.put(&FALLBACK, of, &Fallback { used: true, ..fallback.clone() });
                }
                fallback.key
            };
            Ok(Some((key, tx.submit().await?)))
        })
        .await
    }
}
