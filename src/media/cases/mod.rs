//! Behaviour of the whole crate on the in-memory engine and a temporary directory.

mod images;
mod pending;
mod remote;
mod store;
mod thumbnails;

use std::{convert::Infallible, sync::Arc, time::Duration};

use base::Clock;
use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use kv::{Db, Engine, flaky::Flaky, memory::Memory};
use ruma::{OwnedUserId, ServerName, UserId, owned_server_name, server_name, user_id};
use tempfile::TempDir;

use crate::{Access, Config, Content, Download, Error, FileInfo, Media, MediaId, Result};

pub const START: u64 = 1_800_000_000_000;
pub const NO_WAIT: Duration = Duration::ZERO;

/// Media on a temporary directory, with a clock that stands.
pub struct Fixture {
    pub media: Media,
    pub db: Db,
    pub clock: Clock,
    pub dir: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        Self::on(Memory::new(), config)
    }

    pub fn flaky() -> Self {
        Self::on(Flaky::new(Memory::new()), Config::default())
    }

    fn on(engine: Arc<dyn Engine>, config: Config) -> Self {
        let (db, clock, dir) = (Db::new(engine), Clock::fixed(START), temp_dir());
        let media = Media::open(db.clone(), clock.clone(), owned_server_name!("hs"), dir.path(), config).unwrap();
        Self { media, db, clock, dir }
    }

    /// The same database and directory after a restart.
    pub fn reopened(&self) -> Media {
        let config = Config::default();
        Media::open(self.db.clone(), self.clock.clone(), owned_server_name!("hs"), self.dir.path(), config).unwrap()
    }

    pub async fn upload(&self, bytes: impl Into<Bytes>) -> MediaId {
        self.media.upload(alice(), FileInfo::default(), body(bytes)).await.unwrap()
    }

    pub async fn download(&self, id: &MediaId) -> Result<Download> {
        self.media.download((hs(), id), Access::Authorized, NO_WAIT).await
    }

    /// How many files lie under `area`.
    pub fn files(&self, area: &str) -> usize {
        fn count(dir: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.dir.path().join(area))
    }
}

/// In memory where there is such a directory, as syncing a disk takes most of a test's time.
fn temp_dir() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap())
}

pub fn hs() -> &'static ServerName {
    server_name!("hs")
}

pub fn alice() -> &'static UserId {
    user_id!("@alice:hs")
}

pub fn bob() -> OwnedUserId {
    user_id!("@bob:hs").to_owned()
}

/// A request body in one piece.
pub fn body(bytes: impl Into<Bytes>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    stream::iter([Ok(bytes.into())])
}

/// A request body in pieces of `size` bytes.
pub fn pieces(bytes: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    stream::iter(bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>())
}

pub async fn read(content: &Content) -> Vec<u8> {
    let parts: Vec<Bytes> = content.open(None).await.unwrap().into_stream().try_collect().await.unwrap();
    parts.concat()
}

/// Bytes that do not repeat in short.
pub fn noise(len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut out);
    out
}

pub fn info(content_type: &str, filename: &str) -> FileInfo {
    FileInfo { content_type: Some(content_type.to_owned()), filename: Some(filename.to_owned()) }
}

pub fn same(error: &Error, other: &Error) -> bool {
    std::mem::discriminant(error) == std::mem::discriminant(other)
}
