//! What must be forgotten when the database was restored from a backup.

use kv::Read;

use crate::{
    Keys, Result,
    tables::{COUNTS, HEADS, LEFT, ONE_TIME, ONE_TIME_IDS, Seen},
};

/// Keys that are marked in one transaction.
const AT_ONCE: usize = 1000;

impl Keys {
    /// Forgets all unclaimed one-time keys: which of them were handed out after the backup was made is not known, and
    /// a key that is handed out twice leads to messages that cannot be decrypted. Clients see the count in their next
    /// sync and upload new ones; fallback keys stay, which may be handed out again by their nature.
    ///
    /// The ids stay as those of keys that were claimed, so that an upload that is repeated does not bring a key back.
    /// Returns how many keys were forgotten; doing it again forgets nothing.
    ///
    /// # Errors
    /// When storage fails; what is left is done by the next call.
    pub async fn forget_one_time_keys(&self) -> Result<u64> {
        let mut forgotten = 0;
        let mut range = ONE_TIME_IDS.all();
        loop {
            let ids = self.db.view().scan(&ONE_TIME_IDS, range.clone()).first(AT_ONCE).await?;
            let Some((last, _)) = ids.last() else { break };
            range = ONE_TIME_IDS.after(&(), last);
            let unclaimed: Vec<_> = ids.into_iter().filter(|(_, seen)| !seen.claimed).collect();
            let mut tx = self.db.begin();
            for (key, seen) in &unclaimed {
                tx.put(&ONE_TIME_IDS, (&key.0, &key.1, &key.2), &Seen { claimed: true, hash: seen.hash });
            }
            tx.commit().await?;
            forgotten += u64::try_from(unclaimed.len()).unwrap_or(u64::MAX);
        }
        kv::retry(|| async {
            let mut tx = self.db.begin();
            tx.clear(&ONE_TIME, &());
            tx.clear(&COUNTS, &());
            tx.clear(&LEFT, &());
            tx.clear(&HEADS, &());
            tx.commit().await
        })
        .await?;
        Ok(forgotten)
    }
}
