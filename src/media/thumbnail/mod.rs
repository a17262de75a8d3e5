//! Thumbnails: made when first asked for, on blocking threads, once per image and variant at a time.

mod animate;
mod render;
mod source;
mod variant;
mod workshop;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt;
use kv::Read;
use ruma::ServerName;

use crate::{
    Access, Content, Download, Error, Media, MediaId, Result,
    blobs::{Area, hex},
    config::Format,
    tables::{BLOBS, Blob, Hash, THUMBNAILS, Thumbnail},
};

pub use variant::{Method, ThumbnailRequest};
pub(crate) use workshop::Workshop;

use variant::Variant;

/// Variants of one image that are kept; others are made each time.
const KEPT_VARIANTS: usize = 16;

/// A thumbnail just made.
#[derive(Debug)]
pub(crate) struct Made {
    format: Format,
    /// `None`: the original serves.
    bytes: Option<Bytes>,
}

impl Media {
    /// A thumbnail of the image `id` of `server`, at least as large as asked for unless the image is smaller.
    ///
    /// # Errors
    /// [`Error::CannotThumbnail`] when the file is no image that we decode or breaks a limit; those of
    /// [`Media::download`]. Client-server API v1.19, "Thumbnails".
    pub async fn thumbnail(
        &self,
        (server, id): (&ServerName, &MediaId),
        request: ThumbnailRequest,
        access: Access,
        wait: Duration,
    ) -> Result<Download> {
        let variant = Variant::of(&request)?;
        let (hash, ..) = self.find(server, id, access, wait).await?;
        let view = self.db.view();
        let blob = self.blob(&view, &hash).await?;
        if let Some(cached) = view.get(&THUMBNAILS, (hash, variant.key())).await?
            && let Some(download) = self.cached(&hash, &blob, &variant, cached).await?
        {
            return Ok(download);
        }
        let flight = {
            let this = self.clone();
            let (blob, variant) = (blob.clone(), variant.clone());
            self.workshop.flight((hash, variant.key()), || async move { this.make(hash, blob, variant).await }.boxed())
        };
        let made = flight.await?;
        let content = match &made.bytes {
            Some(bytes) => Content::memory(tag(&hash, &variant), bytes.clone()),
            None => Content::file(&self.blobs, Area::Files, &blob.name, hex(&hash), blob.size)?,
        };
        Ok(download(made.format.content_type(), content))
    }

    /// The cached thumbnail, if its file is whole.
    async fn cached(&self, hash: &Hash, blob: &Blob, variant: &Variant, row: Thumbnail) -> Result<Option<Download>> {
        let content = if row.original {
            Content::file(&self.blobs, Area::Files, &blob.name, hex(hash), blob.size)?
        } else {
            let name = file_name(hash, variant);
            if !self.blobs.intact(Area::Thumbnails, &name, row.size).await? {
                return Ok(None);
            }
            Content::file(&self.blobs, Area::Thumbnails, &name, tag(hash, variant), row.size)?
        };
        Ok(Some(download(&row.content_type, content)))
    }

    async fn make(self, hash: Hash, blob: Blob, variant: Variant) -> Result<Arc<Made>> {
        let path = self.blobs.path(Area::Files, &blob.name).ok_or(Error::NotFound)?;
        let made = self.workshop.make(&self.config, path, variant.clone()).await?;
        if let Err(error) = self.keep(&hash, &variant, &made).await {
            tracing::warn!(%error, "a thumbnail is not kept");
        }
        Ok(Arc::new(made))
    }

    /// Puts a thumbnail into the cache, unless the image has many or is gone.
    async fn keep(&self, hash: &Hash, variant: &Variant, made: &Made) -> Result<()> {
        let kept = self.db.view().scan(&THUMBNAILS, THUMBNAILS.under(&(*hash,))).first(KEPT_VARIANTS).await?;
        if kept.len() >= KEPT_VARIANTS {
            return Ok(());
        }
        if let Some(bytes) = &made.bytes {
            self.blobs.cache(&file_name(hash, variant), bytes.clone()).await?;
        }
        let row = Thumbnail {
            content_type: made.format.content_type().to_owned(),
            size: made.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            original: made.bytes.is_none(),
        };
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            if tx.has(&BLOBS, *hash).await? {
                tx.put(&THUMBNAILS, (*hash, variant.key()), &row);
                tx.commit().await?;
            }
            Ok(())
        })
        .await
    }
}

fn file_name(hash: &Hash, variant: &Variant) -> String {
    format!("{}.{}", hex(hash), variant.key())
}

fn tag(hash: &Hash, variant: &Variant) -> String {
    format!("{}-{}", hex(hash), variant.key())
}

fn download(content_type: &str, content: Content) -> Download {
    let extension = content_type.rsplit('/').next().unwrap_or_default();
    let filename = Some(format!("thumbnail.{extension}"));
    Download { content_type: content_type.to_owned(), filename, content }
}
