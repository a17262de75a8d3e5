//! Following the changes of our users.

use std::{collections::HashSet, time::Duration};

use kv::{Read, Stamp};
use ruma::OwnedUserId;

use super::{
    RemoteDevices, Result,
    tables::{FOLLOWED, Followed},
};

/// How often it is looked for changes without being told of any, which also repeats what failed.
const PERIOD: Duration = Duration::from_secs(60);

/// So many changes of users of other servers are not passed over again and again.
const MANY: usize = 100;

impl RemoteDevices {
    /// Tells other servers of changes as they come. Never ends.
    pub(super) async fn announce_all(&self) {
        loop {
            if let Err(error) = self.announce_new().await {
                tracing::warn!(%error, "changes of devices were not told to other servers and will be");
            }
            let _ = tokio::time::timeout(PERIOD, self.changed.notified()).await;
        }
    }

    async fn announce_new(&self) -> Result<()> {
        self.announce().await?;
        self.introduce().await?;
        Ok(())
    }

    /// Tells other servers what they do not know of our users; of how many users.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn announce(&self) -> Result<usize> {
        let view = self.db.view();
        let followed = view.get(&FOLLOWED, ()).await?.unwrap_or_default();
        if followed.upto == *view.positions() {
            return Ok(0);
        }
        let mut users: HashSet<OwnedUserId> = HashSet::new();
        for (writer, n) in view.positions().iter() {
            let from = Stamp { writer, n: followed.upto.of(writer).saturating_add(1) };
            let to = Stamp { writer, n: n.saturating_add(1) };
            users.extend(self.keys.changed(&view, from, to).await?);
        }
        let looked_at = users.len();
        users.retain(|user| self.is_ours(user));
        for user in &users {
            self.announce_user(user).await?;
        }
        if users.is_empty() && looked_at < MANY && followed.upto != kv::Positions::default() {
            // Nothing to remember: the same is found next time at little cost.
            return Ok(0);
        }
        let mut tx = self.db.begin().relaxed();
        tx.put(&FOLLOWED, (), &Followed { upto: view.positions().clone() });
        tx.commit().await?;
        Ok(users.len())
    }
}
