//! Forgets transactions that nobody repeats any more.

use base::Millis;
use kv::Read;

use crate::{
    Mailbox,
    tables::{RECEIVED, RECEIVED_LOG, SENT, SENT_LOG},
};

/// How long a transaction is remembered, in milliseconds: a client that is offline for a day gives up, and another
/// server that was not answered for so long has been asked for its messages anew.
pub const REMEMBER_MS: Millis = 24 * 60 * 60 * 1000;
/// The same for transactions of other servers, which try for longer.
pub const REMEMBER_RECEIVED_MS: Millis = 7 * REMEMBER_MS;
/// Rows that are removed in one transaction.
const AT_ONCE: usize = 1000;

impl Mailbox {
    /// Forgets old transactions of devices and of other servers.
    ///
    /// Says how many; running it again at the same time forgets nothing.
    ///
    /// # Errors
    /// When storage fails; what is left is done by the next run.
    pub async fn sweep(&self) -> kv::Result<usize> {
        let now = self.clock.now();
        Ok(self.sweep_sent(now).await? + self.sweep_received(now).await?)
    }

    async fn sweep_sent(&self, now: Millis) -> kv::Result<usize> {
        let mut gone = 0;
        loop {
            let old = SENT_LOG.all();
            let rows = self.db.view().scan(&SENT_LOG, old).first(AT_ONCE).await?;
            let rows: Vec<_> =
                rows.into_iter().take_while(|(key, ())| key.0.saturating_add(REMEMBER_MS) <= now).collect();
            if rows.is_empty() {
                return Ok(gone);
            }
            gone += rows.len();
            kv::retry(|| async {
                let mut tx = self.db.begin().relaxed();
                for ((at, user, device, kind, id), ()) in &rows {
                    // A device of the same id may have sent it again after the first one was removed.
                    if tx.get(&SENT, (user, device, kind, id)).await? == Some(*at) {
                        tx.delete(&SENT, (user, device, kind, id));
                    }
                    tx.delete(&SENT_LOG, (*at, user, device, kind, id));
                }
                tx.commit().await
            })
            .await?;
        }
    }

    async fn sweep_received(&self, now: Millis) -> kv::Result<usize> {
        let mut gone = 0;
        loop {
            let rows = self.db.view().scan(&RECEIVED_LOG, RECEIVED_LOG.all()).first(AT_ONCE).await?;
            let is_old = |at: Millis| at.saturating_add(REMEMBER_RECEIVED_MS) <= now;
            let rows: Vec<_> = rows.into_iter().take_while(|(key, ())| is_old(key.0)).collect();
            if rows.is_empty() {
                return Ok(gone);
            }
            gone += rows.len();
            kv::retry(|| async {
                let mut tx = self.db.begin().relaxed();
                for ((at, origin, id), ()) in &rows {
                    tx.delete(&RECEIVED, (origin, id));
                    tx.delete(&RECEIVED_LOG, (*at, origin, id));
                }
                tx.commit().await
            })
            .await?;
        }
    }
}
