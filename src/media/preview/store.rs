//! Previews that were made, and the pictures stored for them.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use kv::Read;

use super::{Previews, Result};
use crate::{
    FileInfo, Media, MediaId,
    tables::{Hash, PREVIEW_ENDS, PREVIEWS, Preview},
};

/// How long a preview is shown before the page is looked at again, in milliseconds.
const FRESH: u64 = 60 * 60 * 1000;
/// Previews removed in one transaction.
const AT_ONCE: usize = 100;

impl Previews {
    /// The preview of a page that was looked at not long ago.
    pub(super) async fn known(&self, key: Hash) -> Result<Option<Arc<str>>> {
        let now = self.media.clock.now();
        let row = self.media.db.view().get(&PREVIEWS, key).await?;
        Ok(row.filter(|row| now < row.made.saturating_add(FRESH)).map(|row| row.json.into()))
    }

    /// Keeps a preview in place of the one before, whose picture stays until its own time is over.
    pub(super) async fn remember(&self, key: Hash, json: &str, image: Option<MediaId>) -> Result<()> {
        let made = self.media.clock.now();
        let image = image.map(|id| id.to_string()).unwrap_or_default();
        let ends = made.saturating_add(self.config.keep_days.saturating_mul(24 * 60 * 60 * 1000).max(FRESH));
        Ok(kv::retry(|| async {
            let mut tx = self.media.db.begin();
            tx.put(&PREVIEWS, key, &Preview { made, json: json.to_owned() });
            tx.put(&PREVIEW_ENDS, (ends, key), &image);
            tx.commit().await
        })
        .await?)
    }

    /// Removes previews that are older than the configuration says, with their pictures.
    ///
    /// # Errors
    /// When storage fails; the next run goes on.
    pub async fn sweep(&self) -> Result<()> {
        let now = self.media.clock.now();
        loop {
            let view = self.media.db.view();
            let rows = view.scan(&PREVIEW_ENDS, PREVIEW_ENDS.all()).by(AT_ONCE).first(AT_ONCE).await?;
            drop(view);
            let over: Vec<_> = rows.into_iter().take_while(|((ends, _), _)| *ends <= now).collect();
            if over.is_empty() {
                return Ok(());
            }
            for ((ends, key), image) in over {
                if let Some(id) = MediaId::parse(&image) {
                    self.media.delete(self.media.server(), &id).await?;
                }
                kv::retry(|| async {
                    let mut tx = self.media.db.begin();
                    let old = tx.get(&PREVIEWS, key).await?.is_some_and(|row| now >= row.made.saturating_add(FRESH));
                    if old {
                        tx.delete(&PREVIEWS, key);
                    }
                    tx.delete(&PREVIEW_ENDS, (ends, key));
                    tx.commit().await
                })
                .await?;
            }
        }
    }
}

impl Media {
    /// Stores a file of this server that is nobody's upload.
    pub(super) async fn keep_own<E: std::fmt::Display>(
        &self,
        id: &MediaId,
        info: FileInfo,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> crate::Result<()> {
        let file = self.receive_at_most(u64::MAX, body).await?;
        self.store(self.unowned(&self.server, id, info), file).await
    }
}
