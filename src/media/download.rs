use std::{io, ops::Range, path::PathBuf, time::Duration};

use bytes::Bytes;
use ruma::ServerName;

use crate::{
    Error, Media, MediaId, Result,
    blobs::{Area, Blobs, Body, hex},
    tables::{Hash, Item, ItemContent},
};

/// Longest wait for an upload, whatever the request says.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What the request proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A user or a server that may see any media.
    Authorized,
    /// Nothing: the frozen addresses. Client-server API v1.19, "Content repository".
    Legacy,
}

/// A file that may be sent; nothing is read of it yet.
#[derive(Debug, Clone)]
pub struct Download {
    /// Safe to send as a header.
    pub content_type: String,
    /// As the uploader named it.
    pub filename: Option<String>,
    /// What is sent.
    pub content: Content,
}

/// Bytes that never change.
#[derive(Debug, Clone)]
pub struct Content {
    /// Differs for other bytes: an `ETag` without its quotes.
    pub tag: String,
    /// Length in bytes.
    pub size: u64,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    File(Blobs, PathBuf),
    Memory(Bytes),
}

impl Content {
    pub(crate) fn file(blobs: &Blobs, area: Area, name: &str, tag: String, size: u64) -> Result<Self> {
        let path = blobs.path(area, name).ok_or(Error::NotFound)?;
        Ok(Self { tag, size, source: Source::File(blobs.clone(), path) })
    }

    pub(crate) fn memory(tag: String, bytes: Bytes) -> Self {
        Self { tag, size: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    /// Opens the file to send `range` of it, or all.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the file is gone, [`Error::Disk`] when it cannot be read.
    pub async fn open(&self, range: Option<Range<u64>>) -> Result<Body> {
        let range = range.unwrap_or(0..self.size);
        let end = range.end.min(self.size);
        let range = range.start.min(end)..end;
        match &self.source {
            Source::Memory(bytes) => {
                let at = |n| usize::try_from(n).unwrap_or(usize::MAX);
                Ok(Body::of(bytes.slice(at(range.start)..at(range.end))))
            }
            Source::File(blobs, path) => match Body::open(blobs, path.clone(), range).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::error!(path = %path.display(), "media file is missing");
                    Err(Error::NotFound)
                }
                other => Ok(other?),
            },
        }
    }
}

impl Media {
    /// The media `id` of `server`; waits at most `wait` if it is promised but not uploaded yet.
    ///
    /// # Errors
    /// [`Error::NotLocal`] for another server's that is not here, [`Error::NotFound`], [`Error::NotYetUploaded`] when the wait
    /// is over.
    pub async fn download(
        &self,
        (server, id): (&ServerName, &MediaId),
        access: Access,
        wait: Duration,
    ) -> Result<Download> {
        let (hash, size, content_type, filename) = self.find(server, id, access, wait).await?;
        let blob = self.blob(&self.db.view(), &hash).await?;
        let content = Content::file(&self.blobs, Area::Files, &blob.name, hex(&hash), size)?;
        Ok(Download { content_type, filename, content })
    }

    /// Hash, size, content type and file name of the media.
    pub(crate) async fn find(
        &self,
        server: &ServerName,
        id: &MediaId,
        access: Access,
        wait: Duration,
    ) -> Result<(Hash, u64, String, Option<String>)> {
        let item = match self.uploaded(server, id).await {
            Err(Error::NotFound) if !self.is_local(server) => return Err(Error::NotLocal),
            Err(Error::NotYetUploaded) => self.wait_for(server, id, wait.min(MAX_WAIT)).await?,
            other => other?,
        };
        let ItemContent::File { hash, size, content_type, filename } = item.content else {
            return Err(Error::NotYetUploaded);
        };
        if access == Access::Legacy && !item.legacy && !self.config.allow_legacy {
            return Err(Error::NotFound);
        }
        if !self.is_local(server) {
            self.used(server, id, size).await?;
        }
        Ok((hash, size, content_type, filename))
    }

    /// The item, if its file is there.
    async fn uploaded(&self, server: &ServerName, id: &MediaId) -> Result<Item> {
        let now = self.clock.now();
        let item = self.item(&self.db.view(), server, id).await?.ok_or(Error::NotFound)?;
        match item.content {
            ItemContent::File { .. } => Ok(item),
            ItemContent::Promised { expires } if expires <= now => Err(Error::NotFound),
            ItemContent::Promised { .. } => Err(Error::NotYetUploaded),
        }
    }

    async fn wait_for(&self, server: &ServerName, id: &MediaId, wait: Duration) -> Result<Item> {
        let waiter = self.waiters.join(id.as_str());
        let mut woken = std::pin::pin!(waiter.notify.notified());
        woken.as_mut().enable();
        match self.uploaded(server, id).await {
            Err(Error::NotYetUploaded) => {}
            other => return other,
        }
        let _in_time = tokio::time::timeout(wait, woken).await;
        self.uploaded(server, id).await
    }
}
