//! Media of other servers: each file that somebody asked for is kept here.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use futures::{
    Stream,
    future::{BoxFuture, FutureExt, Shared, WeakShared},
};
use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName};

use crate::{Error, FileInfo, Media, MediaId, Result};

type Key = (OwnedServerName, String);
type Fetch = BoxFuture<'static, Result<()>>;

/// What is being fetched. Cheap to clone.
#[derive(Clone, Default)]
pub struct Fetches(Arc<Mutex<HashMap<Key, WeakShared<Fetch>>>>);

impl Fetches {
    /// The fetch under way for `key`, or a new one. Its outcome is shared, and forgotten with its last waiter, so no
    /// failure is remembered.
    fn join(&self, key: Key, start: impl FnOnce() -> Fetch) -> Shared<Fetch> {
        let mut all = self.0.lock();
        if let Some(fetch) = all.get(&key).and_then(WeakShared::upgrade) {
            return fetch;
        }
        all.retain(|_, fetch| fetch.upgrade().is_some());
        let fetch = start().shared();
        if let Some(weak) = fetch.downgrade() {
            all.insert(key, weak);
        }
        fetch
    }
}

impl Media {
    /// Makes sure that the media `id` of another server is here: runs `fetch`, which is to end with
    /// [`Media::keep_remote`], unless it is; once, however many ask for it at the same time.
    ///
    /// # Errors
    /// What `fetch` fails with.
    pub async fn bring(
        &self,
        (server, id): (&ServerName, &MediaId),
        fetch: impl FnOnce() -> BoxFuture<'static, Result<()>>,
    ) -> Result<()> {
        if self.is_local(server) || self.item(&self.db.view(), server, id).await?.is_some() {
            return Ok(());
        }
        self.fetches.join((server.to_owned(), id.to_string()), fetch).await
    }

    /// Stores a file of another server.
    ///
    /// # Errors
    /// [`Error::RemoteTooLarge`], [`Error::Remote`] when `body` breaks off; nothing is stored then.
    pub async fn keep_remote<E: std::fmt::Display>(
        &self,
        (server, id): (&ServerName, &MediaId),
        info: FileInfo,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<()> {
        if self.is_local(server) {
            return Err(Error::NotFound);
        }
        let limit = self.max_remote_bytes();
        let file = self.receive_at_most(limit, body).await.map_err(|error| match error {
            Error::TooLarge { limit } => Error::RemoteTooLarge { limit },
            Error::Body(cause) => Error::Remote(cause),
            other => other,
        })?;
        self.store(self.unowned(server, id, info), file).await
    }

    /// Largest file of another server that is kept, in bytes.
    pub fn max_remote_bytes(&self) -> u64 {
        self.config.max_remote_bytes
    }
}
