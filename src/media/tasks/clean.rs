use kv::Read;

use crate::{
    Media, Result,
    blobs::{Area, hex},
    tables::{BLOBS, Hash, ORPHANS, THUMBNAILS},
};

impl Media {
    /// Voids promises whose time has passed and removes blobs that no item names.
    ///
    /// # Errors
    /// When storage or the media directory fails; the next run goes on from there.
    pub async fn clean(&self) -> Result<()> {
        self.expire_promises().await?;
        let view = self.db.view();
        let mut orphans = view.scan(&ORPHANS, ORPHANS.all());
        while let Some((hash, ())) = orphans.next().await? {
            self.drop_blob(hash).await?;
        }
        Ok(())
    }

    /// Removes the rows first and the files then: a crash between the two leaves files to [`Media::sweep`].
    async fn drop_blob(&self, hash: Hash) -> Result<()> {
        let thumbnails = self.db.view().scan(&THUMBNAILS, THUMBNAILS.under(&(hash,))).collect().await?;
        let name = kv::retry(|| async {
            let mut tx = self.db.begin();
            let (orphan, blob) = (tx.has(&ORPHANS, hash).await?, tx.get(&BLOBS, hash).await?);
            let Some(blob) = blob.filter(|blob| orphan && blob.refs == 0) else { return Ok(None) };
            tx.delete(&ORPHANS, hash);
            tx.delete(&BLOBS, hash);
            tx.clear(&THUMBNAILS, &(hash,));
            tx.commit().await?;
            Ok::<_, crate::Error>(Some(blob.name))
        })
        .await?;
        if let Some(name) = name {
            self.blobs.remove(Area::Files, vec![name]).await?;
            let names = thumbnails.into_iter().map(|((_, variant), _)| format!("{}.{variant}", hex(&hash)));
            self.blobs.remove(Area::Thumbnails, names.collect()).await?;
        }
        Ok(())
    }
}
