use base::Millis;
use kv::{Read, Tx};
use ruma::{ServerName, UserId};

use crate::{
    Media, MediaId, Result,
    tables::{BLOBS, BY_USER, Blob, EXPIRIES, Hash, ITEMS, Item, ItemContent, ORPHANS, REMOTE, REMOTE_DAYS, USAGE},
};

/// One upload of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: MediaId,
    /// When it was uploaded.
    pub uploaded: Millis,
    /// Length in bytes.
    pub size: u64,
}

impl Media {
    /// At most `limit` uploads of `user`, newest first, from before `before` if given.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn uploads_of(&self, user: &UserId, before: Option<&Listed>, limit: usize) -> Result<Vec<Listed>> {
        let range = match before {
            Some(last) => BY_USER.before(&(user,), &(user, last.uploaded, last.id.as_str())),
            None => BY_USER.under(&(user,)),
        };
        let rows = self.db.view().scan_back(&BY_USER, range).first(limit).await?;
        let listed = rows
            .into_iter()
            .filter_map(|((_, uploaded, id), size)| Some(Listed { id: MediaId::parse(&id)?, uploaded, size }));
        Ok(listed.collect())
    }

    /// Removes a media id. Its bytes go with the next clean-up, unless another id names them.
    /// Answers whether it was there.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn delete(&self, server: &ServerName, id: &MediaId) -> Result<bool> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let item = tx.get(&ITEMS, (server, id.as_str())).await?;
            // Also without the item: who reads it while it goes notes that once more.
            if let Some(day) = tx.get(&REMOTE_DAYS, (server, id.as_str())).await? {
                tx.delete(&REMOTE_DAYS, (server, id.as_str()));
                tx.delete(&REMOTE, (day, server, id.as_str()));
            }
            let Some(item) = item else {
                tx.commit().await?;
                return Ok(false);
            };
            tx.delete(&ITEMS, (server, id.as_str()));
            self.forget_use(&mut tx, id, &item).await?;
            if let ItemContent::File { hash, .. } = item.content {
                release(&mut tx, hash).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Removes everything `user` uploaded; answers how many ids that were.
    ///
    /// # Errors
    /// When storage fails; what is removed until then stays so.
    pub async fn delete_uploads_of(&self, user: &UserId) -> Result<u64> {
        let view = self.db.view();
        let mut rows = view.scan(&BY_USER, BY_USER.under(&(user,)));
        let mut removed = 0;
        while let Some(((_, _, id), _)) = rows.next().await? {
            if let Some(id) = MediaId::parse(&id) {
                removed += u64::from(self.delete(&self.server, &id).await?);
            }
        }
        Ok(removed)
    }

    async fn forget_use(&self, tx: &mut Tx, id: &MediaId, item: &Item) -> Result<()> {
        let Some(owner) = &item.owner else { return Ok(()) };
        let mut usage = tx.get(&USAGE, owner).await?.unwrap_or_default();
        match &item.content {
            ItemContent::Promised { expires } => {
                usage.pending = usage.pending.saturating_sub(1);
                tx.delete(&EXPIRIES, (*expires, id.as_str()));
            }
            ItemContent::File { size, .. } => {
                usage.files = usage.files.saturating_sub(1);
                usage.bytes = usage.bytes.saturating_sub(*size);
                tx.delete(&BY_USER, (owner, item.created, id.as_str()));
            }
        }
        tx.put(&USAGE, owner, &usage);
        Ok(())
    }
}

/// Takes one reference from a blob.
async fn release(tx: &mut Tx, hash: Hash) -> Result<()> {
    let Some(blob) = tx.get(&BLOBS, hash).await? else { return Ok(()) };
    let refs = blob.refs.saturating_sub(1);
    tx.put(&BLOBS, hash, &Blob { refs, ..blob });
    if refs == 0 {
        tx.put(&ORPHANS, hash, &());
    }
    Ok(())
}
