use base::Millis;
use kv::Read;
use ruma::{OwnedUserId, UserId};

use crate::{
    Error, Media, MediaId, Result,
    tables::{EXPIRIES, ITEMS, Item, ItemContent, USAGE},
};

/// How long an id waits for its upload. Client-server API v1.19, `POST /_matrix/media/v1/create`.
const UNUSED_FOR: Millis = 24 * 60 * 60 * 1000;

/// An id that something may be uploaded to.
#[derive(Debug, Clone)]
pub struct Promise {
    /// The id.
    pub id: MediaId,
    /// When it becomes void.
    pub expires: Millis,
}

impl Media {
    /// Gives `user` an id to upload to later.
    ///
    /// # Errors
    /// [`Error::TooManyPending`] when the user holds as many unused ids as allowed.
    pub async fn create(&self, user: &UserId) -> Result<Promise> {
        match self.promise(user).await {
            Err(Error::TooManyPending) => {
                self.expire_promises().await?;
                self.promise(user).await
            }
            other => other,
        }
    }

    async fn promise(&self, user: &UserId) -> Result<Promise> {
        let (id, now) = (MediaId::random(), self.clock.now());
        let expires = now + UNUSED_FOR;
        let content = ItemContent::Promised { expires };
        let item = Item { owner: Some(user.to_owned()), created: now, content, legacy: false };
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut usage = tx.get(&USAGE, user).await?.unwrap_or_default();
            if usage.pending >= self.config.max_pending_uploads {
                return Err(Error::TooManyPending);
            }
            usage.pending += 1;
            tx.put(&USAGE, user, &usage);
            tx.put(&ITEMS, (&*self.server, id.as_str()), &item);
            tx.put(&EXPIRIES, (expires, id.as_str()), &user.to_owned());
            tx.commit().await?;
            Ok(())
        })
        .await?;
        Ok(Promise { id, expires })
    }

    /// Voids the ids whose time has passed.
    pub(crate) async fn expire_promises(&self) -> Result<()> {
        let view = self.db.view();
        let due = EXPIRIES.before(&(), &(self.clock.now() + 1, ""));
        let mut rows = view.scan(&EXPIRIES, due);
        while let Some(((expires, id), owner)) = rows.next().await? {
            self.expire_promise(expires, &id, &owner).await?;
        }
        Ok(())
    }

    async fn expire_promise(&self, expires: Millis, id: &str, owner: &OwnedUserId) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if !tx.has(&EXPIRIES, (expires, id)).await? {
                return Ok(()); // kept meanwhile
            }
            let mut usage = tx.get(&USAGE, owner).await?.unwrap_or_default();
            usage.pending = usage.pending.saturating_sub(1);
            tx.put(&USAGE, owner, &usage);
            tx.delete(&EXPIRIES, (expires, id));
            tx.delete(&ITEMS, (&*self.server, id));
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}
