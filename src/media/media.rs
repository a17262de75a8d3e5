use std::{io, path::Path, sync::Arc};

use base::Clock;
use kv::{Db, Read, View};
use ruma::{OwnedServerName, ServerName, UserId};

use crate::{
    Config, Error, MediaId, Result,
    blobs::Blobs,
    remote::Fetches,
    tables::{BLOBS, Blob, Hash, ITEMS, Item, USAGE, Usage},
    tasks::evict::Fresh,
    thumbnail::Workshop,
    wait::Waiters,
};

/// Uploads, downloads and thumbnails of this server's media. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) server: OwnedServerName,
    pub(crate) config: Arc<Config>,
    pub(crate) blobs: Blobs,
    pub(crate) waiters: Waiters,
    pub(crate) workshop: Workshop,
    pub(crate) fetches: Fetches,
    pub(crate) fresh: Arc<Fresh>,
}

impl Media {
    /// Media of `server`, with files under `dir`. One process at a time.
    ///
    /// # Errors
    /// When `dir` cannot be made or written.
    pub fn open(db: Db, clock: Clock, server: OwnedServerName, dir: &Path, config: Config) -> io::Result<Self> {
        let workshop = Workshop::new(&config);
        let blobs = Blobs::open(dir)?;
        Ok(Self {
            db,
            clock,
            server,
            config: Arc::new(config),
            blobs,
            waiters: Waiters::default(),
            workshop,
            fetches: Fetches::default(),
            fresh: Arc::default(),
        })
    }

    /// Largest file that may be uploaded, in bytes: `m.upload.size`.
    pub fn max_upload_bytes(&self) -> u64 {
        self.config.max_upload_bytes
    }

    /// Whether requests without an access token get new media as well.
    pub fn allows_legacy(&self) -> bool {
        self.config.allow_legacy
    }

    /// Whether media of `server` lives here.
    pub fn is_local(&self, server: &ServerName) -> bool {
        self.server == server
    }

    /// The server whose media this is.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// What `user` stores.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn usage(&self, user: &UserId) -> Result<Usage> {
        Ok(self.db.view().get(&USAGE, user).await?.unwrap_or_default())
    }

    pub(crate) async fn item(&self, view: &View, server: &ServerName, id: &MediaId) -> Result<Option<Item>> {
        Ok(view.get(&ITEMS, (server, id.as_str())).await?)
    }

    pub(crate) async fn blob(&self, view: &View, hash: &Hash) -> Result<Blob> {
        view.get(&BLOBS, *hash).await?.ok_or(Error::NotFound)
    }
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("server", &self.server).finish_non_exhaustive()
    }
}
