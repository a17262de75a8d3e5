use std::sync::atomic::{AtomicBool, Ordering};

use kv::Read;
use ruma::ServerName;

use crate::{
    Media, MediaId, Result,
    tables::{Day, REMOTE, REMOTE_DAYS},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Whether there is media of other servers that no eviction has seen. True at the start.
#[derive(Debug)]
pub(crate) struct Fresh(AtomicBool);

impl Default for Fresh {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Fresh {
    pub(crate) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Media {
    /// Removes media of other servers that nobody has asked for in a long time, and the longest unused when all of it
    /// together is too large: what is asked for again is fetched again. Answers how many were removed; their bytes go
    /// with the next clean-up.
    ///
    /// # Errors
    /// When storage fails; the next run goes on from there.
    pub async fn evict(&self) -> Result<u64> {
        if self.config.remote_keep_days == 0 && !self.fresh.0.swap(false, Ordering::Relaxed) {
            return Ok(0);
        }
        let evicted = self.evict_oldest().await;
        if evicted.is_err() {
            self.fresh.note();
        }
        evicted
    }

    async fn evict_oldest(&self) -> Result<u64> {
        let first = match self.config.remote_keep_days {
            0 => 0,
            days => self.today().saturating_sub(days),
        };
        let most = match self.config.remote_keep_mb {
            0 => u64::MAX,
            mb => mb.saturating_mul(1 << 20),
        };
        let view = self.db.view();
        let mut total = 0_u64;
        let mut all = view.scan(&REMOTE, REMOTE.all());
        while let Some((_, size)) = all.next().await? {
            total = total.saturating_add(size);
        }
        let mut removed = 0;
        let mut oldest = view.scan(&REMOTE, REMOTE.all());
        while let Some(((day, server, id), size)) = oldest.next().await? {
            if total <= most && day >= first {
                break;
            }
            total = total.saturating_sub(size);
            if let Some(id) = MediaId::parse(&id) {
                removed += u64::from(self.delete(&server, &id).await?);
            }
        }
        metrics::gauge!("hearth_media_remote_bytes").set(approximate(total));
        Ok(removed)
    }

    /// Notes that media of another server was asked for today.
    pub(crate) async fn used(&self, server: &ServerName, id: &MediaId, size: u64) -> Result<()> {
        let today = self.today();
        let key = (server, id.as_str());
        if self.db.view().get(&REMOTE_DAYS, key).await? == Some(today) {
            return Ok(());
        }
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            if let Some(day) = tx.get(&REMOTE_DAYS, key).await? {
                tx.delete(&REMOTE, (day, server, id.as_str()));
            }
            tx.put(&REMOTE_DAYS, key, &today);
            tx.put(&REMOTE, (today, server, id.as_str()), &size);
            tx.commit().await
        })
        .await?;
        Ok(())
    }

    /// Days since the epoch.
    pub(crate) fn today(&self) -> Day {
        Day::try_from(self.clock.now() / DAY_MS).unwrap_or(Day::MAX)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn approximate(bytes: u64) -> f64 {
    bytes as f64
}
