//! How many messages wait for a device.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use kv::{Read, Tx};
use moka::sync::Cache;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

use crate::{Result, tables::MAIL};

/// Messages that wait for one device; more are dropped, so that the oldest are kept until they are delivered.
pub const MAX_WAITING: usize = 10_000;
/// After so many dropped messages it is counted again.
const RECOUNT: u64 = 256;
/// Devices whose count is remembered.
const REMEMBERED: u64 = 65_536;

/// Counts what waits for each device, never less than there is unless another node writes too: the database is asked
/// when it looks full. A bound, not a promise.
pub struct Fill {
    counts: Cache<(OwnedUserId, OwnedDeviceId), Arc<AtomicU64>>,
    limit: usize,
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fill").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Default for Fill {
    fn default() -> Self {
        Self::new(MAX_WAITING)
    }
}

impl Fill {
    /// At most `limit` messages for a device.
    pub fn new(limit: usize) -> Self {
        Self { counts: Cache::new(REMEMBERED), limit }
    }

    /// Whether one more message may wait for a device; it is counted then.
    pub async fn takes(&self, tx: &Tx, user: &UserId, device: &DeviceId) -> Result<bool> {
        let key = (user.to_owned(), device.to_owned());
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        let count = match self.counts.get(&key) {
            Some(count) => count,
            None => {
                let count = Arc::new(AtomicU64::new(self.count(tx, user, device).await?));
                self.counts.insert(key, count.clone());
                count
            }
        };
        let before = count.fetch_add(1, Ordering::Relaxed);
        if before < limit {
            return Ok(true);
        }
        if (before - limit) % RECOUNT > 0 {
            return Ok(false);
        }
        let now = self.count(tx, user, device).await?;
        count.store(now.saturating_add(1), Ordering::Relaxed);
        Ok(now < limit)
    }

    /// Counts anew the next time.
    pub fn forget(&self, user: &UserId, device: &DeviceId) {
        self.counts.invalidate(&(user.to_owned(), device.to_owned()));
    }

    async fn count(&self, tx: &Tx, user: &UserId, device: &DeviceId) -> Result<u64> {
        let rows = tx.scan(&MAIL, MAIL.under(&(user, device))).by(8).first(self.limit).await?;
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }
}
