//! Fetching lists that miss something: a few at a time, each user once, later and later when their server fails.

use std::time::Duration;

use base::Millis;
use e2ee::{CrossSigning, Keys, RemoteKeys, remote};
use futures::{StreamExt, stream};
use http::StatusCode;
use kv::Read;
use ruma::{OwnedUserId, UserId};

use super::{
    RemoteDevices, Result,
    ask::UserDevices,
    query::MAX_DEVICES,
    tables::{LISTS, ListRow, STALE, StaleRow},
};
use crate::CallError;

/// Lists fetched at the same time.
const AT_ONCE: usize = 8;
/// Lists looked at in one round.
const PER_ROUND: usize = 1000;
/// How often lists are looked at whose server failed.
const PERIOD: Duration = Duration::from_secs(20);
/// The first pause after a failure, and the longest, in milliseconds.
const PAUSES: (Millis, Millis) = (10_000, 60 * 60 * 1000);

impl RemoteDevices {
    /// Fetches lists as they become stale. Never ends.
    pub(super) async fn resync_all(&self) {
        loop {
            if let Err(error) = self.resync().await {
                tracing::warn!(%error, "lists of devices of other servers were not fetched and will be again");
            }
            // What came meanwhile is done at once, what failed later.
            let _ = tokio::time::timeout(PERIOD, self.stale.notified()).await;
        }
    }

    /// Fetches the lists that are due; how many were.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn resync(&self) -> Result<usize> {
        let (view, now) = (self.db.view(), self.clock.now());
        let mut due = Vec::new();
        let mut rows = view.scan(&STALE, STALE.all());
        while due.len() < PER_ROUND
            && let Some((user, row)) = rows.next().await?
        {
            if row.again <= now {
                due.push((user, row));
            }
        }
        let count = due.len();
        let fetching = due.into_iter().map(|(user, row)| self.resync_one(user, row));
        let mut fetching = stream::iter(fetching).buffer_unordered(AT_ONCE);
        while let Some(fetched) = fetching.next().await {
            fetched?;
        }
        Ok(count)
    }

    async fn resync_one(&self, user: OwnedUserId, row: StaleRow) -> Result<()> {
        let before = self.db.view();
        if !self.is_met(&before, &user).await? {
            return self.forget(&user).await;
        }
        match self.servers.devices(&user).await {
            Ok(told) => {
                let list = ListRow { stream: Some(told.stream_id), since: before.positions().clone() };
                self.resynced(&user, row, list, &checked(&user, told)).await
            }
            Err(CallError::Status { status: StatusCode::NOT_FOUND, .. }) => {
                let list = ListRow { stream: None, since: before.positions().clone() };
                self.resynced(&user, row, list, &RemoteKeys::default()).await
            }
            Err(error) => {
                tracing::debug!(%user, %error, tries = row.tries, "a list of devices was not told");
                self.put_off(&user).await
            }
        }
    }

    /// Keeps a list that was fetched, unless something came since `row` was read: it is fetched again then.
    async fn resynced(&self, user: &UserId, row: StaleRow, list: ListRow, keys: &RemoteKeys) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let Some(stale) = tx.get(&STALE, user).await? else { return Ok(()) };
            Keys::replace_remote(&mut tx, user, keys).await?;
            tx.put(&LISTS, user, &list);
            if stale.missed == row.missed {
                tx.delete(&STALE, user);
            } else {
                tx.put(&STALE, user, &StaleRow { tries: 0, ..stale });
            }
            tx.commit().await
        })
        .await?;
        Ok(())
    }

    async fn put_off(&self, user: &UserId) -> Result<()> {
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let Some(stale) = tx.get(&STALE, user).await? else { return Ok(()) };
            let pause = PAUSES.0.saturating_mul(1 << stale.tries.min(16)).min(PAUSES.1);
            let row = StaleRow { tries: stale.tries.saturating_add(1), again: now.saturating_add(pause), ..stale };
            tx.put(&STALE, user, &row);
            tx.commit().await
        })
        .await?;
        Ok(())
    }
}

/// What a server told of one of its users, as far as it makes sense.
fn checked(user: &UserId, told: UserDevices) -> RemoteKeys {
    let mut keys = RemoteKeys::default();
    for device in told.devices.into_iter().take(MAX_DEVICES) {
        let text = device.keys.as_ref().and_then(|keys| remote::identity_keys(user, &device.device_id, keys.get()));
        let text = text.map(|text| remote::named(text, device.device_display_name.as_deref()));
        keys.devices.extend(text.map(|text| (device.device_id, text)));
    }
    let key = |kind, key: Option<Box<serde_json::value::RawValue>>| {
        key.and_then(|key| remote::cross_signing_key(user, kind, key.get()))
    };
    keys.master = key(CrossSigning::Master, told.master_key);
    keys.self_signing = key(CrossSigning::SelfSigning, told.self_signing_key);
    keys
}
