use kv::Read;

use crate::{
    Media, Result,
    blobs::{Area, hash_of},
    tables::{BLOBS, THUMBNAILS},
};

impl Media {
    /// Removes files that no row names: what a crash between file and row leaves behind. Walks the whole media
    /// directory. Answers how many files were removed.
    ///
    /// # Errors
    /// When storage or the media directory fails.
    pub async fn sweep(&self) -> Result<u64> {
        let mut removed = 0;
        for area in [Area::Files, Area::Thumbnails] {
            for shelf in self.blobs.shelves(area).await? {
                let mut stray = Vec::new();
                for name in self.blobs.names(shelf).await? {
                    if !self.is_named(area, &name).await? {
                        stray.push(name);
                    }
                }
                removed += stray.len() as u64;
                if !stray.is_empty() {
                    self.blobs.remove(area, stray).await?;
                }
            }
        }
        Ok(removed)
    }

    /// Whether a row names the file. Read after the names being placed were taken out, so a file whose row came
    /// meanwhile is found here.
    async fn is_named(&self, area: Area, name: &str) -> Result<bool> {
        let Some(hash) = hash_of(name) else { return Ok(false) };
        let view = self.db.view();
        match area {
            Area::Files => Ok(view.get(&BLOBS, hash).await?.is_some_and(|blob| blob.name == name)),
            Area::Thumbnails => {
                let variant = name.split_once('.').map_or("", |(_, variant)| variant);
                Ok(view.has(&THUMBNAILS, (hash, variant)).await?)
            }
        }
    }
}
