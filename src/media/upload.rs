use base::Millis;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use kv::{Read, Tx};
use ruma::{ServerName, UserId};

use crate::{
    Error, Media, MediaId, Result,
    blobs::{Area, Placed, Spooled},
    content_type::sanitise,
    tables::{BLOBS, BY_USER, Blob, EXPIRIES, ITEMS, Item, ItemContent, ORPHANS, REMOTE, REMOTE_DAYS, USAGE},
};

/// Longest file name kept, in bytes; a longer one is cut at a character.
const MAX_FILENAME: usize = 255;

/// What the uploader says of a file.
#[derive(Debug, Clone, Default)]
pub struct FileInfo {
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its name.
    pub filename: Option<String>,
}

/// What becomes of a received file.
enum Linked {
    /// A row names the placed file, or an equal one; then the placed one is not needed.
    Done { placed_is_used: bool },
    /// No equal file is stored, and none has been placed.
    NeedsPlacing,
}

/// Everything a row about the upload says; the same in every attempt.
pub(crate) struct Entry<'a> {
    /// Whose upload it is; `None` for media of other servers.
    pub owner: Option<&'a UserId>,
    pub server: &'a ServerName,
    pub id: &'a MediaId,
    pub promised: bool,
    pub now: Millis,
    pub content_type: String,
    pub filename: Option<String>,
}

impl Media {
    /// Stores a new file of `user` and gives it an id.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::QuotaExceeded`], [`Error::Body`]; nothing is stored then.
    pub async fn upload<E: std::fmt::Display>(
        &self,
        user: &UserId,
        info: FileInfo,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<MediaId> {
        let id = MediaId::random();
        self.check_quota(user, 0).await?;
        let file = self.receive(body).await?;
        self.store(self.entry(user, &id, false, info), file).await?;
        Ok(id)
    }

    /// Stores the file that `user` has promised with [`Media::create`].
    ///
    /// # Errors
    /// [`Error::NotFound`] for an id that is unknown or expired, [`Error::NotYours`],
    /// [`Error::AlreadyUploaded`], and those of [`Media::upload`].
    pub async fn complete<E: std::fmt::Display>(
        &self,
        user: &UserId,
        (server, id): (&ServerName, &MediaId),
        info: FileInfo,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<()> {
        if !self.is_local(server) {
            return Err(Error::NotFound);
        }
        let item = self.item(&self.db.view(), server, id).await?;
        expiry_of_promise(item, user, self.clock.now())?;
        self.check_quota(user, 0).await?;
        let file = self.receive(body).await?;
        self.store(self.entry(user, id, true, info), file).await?;
        self.waiters.wake(id.as_str());
        Ok(())
    }

    /// Reads `body` to its end, at most as much as may be uploaded.
    async fn receive<E: std::fmt::Display>(
        &self,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Spooled> {
        self.receive_at_most(self.config.max_upload_bytes, body).await
    }

    /// Reads `body` to its end.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it has more than `limit` bytes, [`Error::Body`].
    pub(crate) async fn receive_at_most<E: std::fmt::Display>(
        &self,
        limit: u64,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Spooled> {
        let mut body = std::pin::pin!(body);
        let mut spool = self.blobs.spool();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| Error::Body(error.to_string()))?;
            if spool.size() + chunk.len() as u64 > limit {
                return Err(Error::TooLarge { limit });
            }
            spool.push(chunk).await?;
        }
        Ok(spool.finish().await?)
    }

    fn entry<'a>(&'a self, user: &'a UserId, id: &'a MediaId, promised: bool, info: FileInfo) -> Entry<'a> {
        Entry { owner: Some(user), promised, ..self.unowned(&self.server, id, info) }
    }

    /// What is said of a file that is nobody's upload.
    pub(crate) fn unowned<'a>(&self, server: &'a ServerName, id: &'a MediaId, info: FileInfo) -> Entry<'a> {
        Entry {
            owner: None,
            server,
            id,
            promised: false,
            now: self.clock.now(),
            content_type: sanitise(info.content_type.as_deref()),
            filename: info.filename.map(shorten).filter(|name| !name.is_empty()),
        }
    }

    /// Puts the file in place unless an equal one is there, and writes the rows that name it.
    pub(crate) async fn store(&self, entry: Entry<'_>, mut file: Spooled) -> Result<()> {
        let known = self.db.view().get(&BLOBS, file.hash).await?;
        let broken = match known {
            Some(blob) if !self.blobs.intact(Area::Files, &blob.name, blob.size).await? => Some(blob.name),
            Some(_) => None,
            None => Some(String::new()),
        };
        let mut placed = if broken.is_some() { Some(file.place().await?) } else { None };
        loop {
            let linked = self.link(&entry, &file, placed.as_ref(), broken.as_deref()).await;
            match linked {
                Ok(Linked::NeedsPlacing) if placed.is_none() => placed = Some(file.place().await?),
                Ok(Linked::Done { placed_is_used: true }) => return Ok(()),
                unused => {
                    if let Some(placed) = placed {
                        placed.discard().await?;
                    }
                    return unused.map(drop);
                }
            }
        }
    }

    /// Writes the rows of an upload. `broken` is the name of an equal blob whose file is lost.
    async fn link(
        &self,
        entry: &Entry<'_>,
        file: &Spooled,
        placed: Option<&Placed>,
        broken: Option<&str>,
    ) -> Result<Linked> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if !self.claim(&mut tx, entry, file.size).await? {
                return Ok(Linked::Done { placed_is_used: false });
            }
            let blob = tx.get(&BLOBS, file.hash).await?;
            let (blob, placed_is_used) = match (blob, placed) {
                (Some(blob), Some(placed)) if broken == Some(blob.name.as_str()) => {
                    (Blob { name: placed.name.clone(), refs: blob.refs + 1, ..blob }, true)
                }
                (Some(blob), _) => (Blob { refs: blob.refs + 1, ..blob }, false),
                (None, Some(placed)) => (Blob { name: placed.name.clone(), size: file.size, refs: 1 }, true),
                (None, None) => return Ok(Linked::NeedsPlacing),
            };
            tx.put(&BLOBS, file.hash, &blob);
            tx.delete(&ORPHANS, file.hash);
            self.put_item(&mut tx, entry, file);
            tx.commit().await?;
            // Without a placed file, the one in use is an equal one that was there before.
            Ok(Linked::Done { placed_is_used: placed_is_used || placed.is_none() })
        })
        .await
    }

    /// Checks promise and quota, and counts the upload. Answers whether a row is to be written: media of another
    /// server may be here by now.
    async fn claim(&self, tx: &mut Tx, entry: &Entry<'_>, size: u64) -> Result<bool> {
        let Some(user) = entry.owner else {
            return Ok(!tx.has(&ITEMS, (entry.server, entry.id.as_str())).await?);
        };
        let mut usage = tx.get(&USAGE, user).await?.unwrap_or_default();
        if entry.promised {
            let item = tx.get(&ITEMS, (entry.server, entry.id.as_str())).await?;
            let expires = expiry_of_promise(item, user, entry.now)?;
            tx.delete(&EXPIRIES, (expires, entry.id.as_str()));
            usage.pending = usage.pending.saturating_sub(1);
        }
        self.check_usage(usage.bytes, size)?;
        usage.files += 1;
        usage.bytes += size;
        tx.put(&USAGE, user, &usage);
        Ok(true)
    }

    fn put_item(&self, tx: &mut Tx, entry: &Entry<'_>, file: &Spooled) {
        let content = ItemContent::File {
            hash: file.hash,
            size: file.size,
            content_type: entry.content_type.clone(),
            filename: entry.filename.clone(),
        };
        let item = Item { owner: entry.owner.map(ToOwned::to_owned), created: entry.now, content, legacy: false };
        tx.put(&ITEMS, (entry.server, entry.id.as_str()), &item);
        if let Some(user) = entry.owner {
            tx.put(&BY_USER, (user, entry.now, entry.id.as_str()), &file.size);
        }
        if !self.is_local(entry.server) {
            let today = self.today();
            tx.put(&REMOTE_DAYS, (entry.server, entry.id.as_str()), &today);
            tx.put(&REMOTE, (today, entry.server, entry.id.as_str()), &file.size);
            self.fresh.note();
        }
    }

    async fn check_quota(&self, user: &UserId, more: u64) -> Result<()> {
        if self.config.user_quota_bytes == 0 {
            return Ok(());
        }
        self.check_usage(self.usage(user).await?.bytes, more)
    }

    fn check_usage(&self, used: u64, more: u64) -> Result<()> {
        let quota = self.config.user_quota_bytes;
        if quota > 0 && (used >= quota || used + more > quota) {
            return Err(Error::QuotaExceeded { quota });
        }
        Ok(())
    }
}

/// When the promise that `item` is expires, if `user` may still keep it.
fn expiry_of_promise(item: Option<Item>, user: &UserId, now: Millis) -> Result<Millis> {
    let item = item.ok_or(Error::NotFound)?;
    if item.owner.as_deref() != Some(user) {
        return Err(Error::NotYours);
    }
    match item.content {
        ItemContent::File { .. } => Err(Error::AlreadyUploaded),
        ItemContent::Promised { expires } if expires <= now => Err(Error::NotFound),
        ItemContent::Promised { expires } => Ok(expires),
    }
}

/// `name` cut to what is kept.
fn shorten(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(MAX_FILENAME));
    name
}
