//! The directory that holds the bytes: `files/a/b/<hash>.<random>`, `thumbnails/a/b/<hash>.<variant>`, with the
//! first two digits of the hash, and `tmp` for what is still being written.

mod read;
mod spool;

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::tables::Hash;

pub use read::Body;
pub use spool::{Placed, Spool, Spooled};

/// Disk operations at the same time; more would only queue in the kernel.
const PARALLEL: usize = 16;

/// The part of the directory that a file lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// What users uploaded.
    Files,
    /// What can be made again.
    Thumbnails,
}

impl Area {
    fn dir(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Thumbnails => "thumbnails",
        }
    }
}

/// The blob store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// Names on their way from `tmp` into a row, which the sweep must leave alone.
    placing: Mutex<HashSet<String>>,
    io: Arc<Semaphore>,
}

impl Blobs {
    /// Opens or makes the directory `dir` and empties its `tmp`.
    ///
    /// # Errors
    /// When the directory cannot be made or written.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let tmp = dir.join("tmp");
        match fs::remove_dir_all(&tmp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for sub in [tmp, dir.join("files"), dir.join("thumbnails")] {
            fs::create_dir_all(sub)?;
        }
        make_shelves(&dir.join(Area::Files.dir()))?;
        let io = Arc::new(Semaphore::new(PARALLEL));
        Ok(Self(Arc::new(Inner { dir: dir.to_owned(), placing: Mutex::default(), io })))
    }

    /// A new file to write to.
    pub fn spool(&self) -> Spool {
        Spool::new(self.clone())
    }

    /// Where `name` lies; `None` if it is no name that the store gives.
    pub fn path(&self, area: Area, name: &str) -> Option<PathBuf> {
        let (first, second) = (name.get(0..1)?, name.get(1..2)?);
        Some(self.0.dir.join(area.dir()).join(first).join(second).join(name))
    }

    /// Whether `name` is there and has `size` bytes.
    pub async fn intact(&self, area: Area, name: &str, size: u64) -> io::Result<bool> {
        let Some(path) = self.path(area, name) else { return Ok(false) };
        self.blocking(move || match fs::metadata(path) {
            Ok(meta) => Ok(meta.len() == size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }

    /// Writes a file that may be lost in a crash, in one step.
    pub async fn cache(&self, name: &str, bytes: Bytes) -> io::Result<()> {
        let path = self.path(Area::Thumbnails, name).ok_or(io::ErrorKind::InvalidInput)?;
        let temp = self.temp_path();
        self.blocking(move || {
            fs::write(&temp, &bytes)?;
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::rename(&temp, &path)
        })
        .await
    }

    /// Removes files; one that is gone already is no error.
    pub async fn remove(&self, area: Area, names: Vec<String>) -> io::Result<()> {
        let paths: Vec<_> = names.iter().filter_map(|name| self.path(area, name)).collect();
        self.blocking(move || {
            for path in paths {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        })
        .await
    }

    /// The directories of `area` that hold files, two levels down.
    pub async fn shelves(&self, area: Area) -> io::Result<Vec<PathBuf>> {
        let top = self.0.dir.join(area.dir());
        self.blocking(move || {
            let mut shelves = Vec::new();
            for first in fs::read_dir(top)? {
                for second in fs::read_dir(first?.path())? {
                    shelves.push(second?.path());
                }
            }
            Ok(shelves)
        })
        .await
    }

    /// The names in `shelf`, without those that are being placed.
    pub async fn names(&self, shelf: PathBuf) -> io::Result<Vec<String>> {
        let names: Vec<String> = self
            .blocking(move || {
                fs::read_dir(shelf)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
            })
            .await?;
        let placing = self.0.placing.lock();
        Ok(names.into_iter().filter(|name| !placing.contains(name)).collect())
    }

    /// Runs `work` on a blocking thread, within the number of parallel disk operations.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let permit = self.0.io.clone().acquire_owned().await.map_err(io::Error::other)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(io::Error::other)?
    }

    fn temp_path(&self) -> PathBuf {
        self.0.dir.join("tmp").join(base::random::alphanumeric(16))
    }
}

/// Makes the 256 shelves for files once, so that no upload has to wait until new directories are on disk.
fn make_shelves(top: &Path) -> io::Result<()> {
    const DIGITS: &str = "0123456789abcdef";
    if top.join("f/f").is_dir() {
        return Ok(());
    }
    let firsts = DIGITS.chars().map(|digit| top.join(digit.to_string()));
    for first in firsts.clone() {
        for second in DIGITS.chars() {
            fs::create_dir_all(first.join(second.to_string()))?;
        }
    }
    // Last, all together: a journalling file system then writes once.
    firsts.chain([top.to_owned()]).try_for_each(|dir| sync_dir(&dir))
}

/// Waits until the entries of `dir` are on disk.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The hash at the front of a file's name.
pub fn hash_of(name: &str) -> Option<Hash> {
    let hex = name.split('.').next()?;
    blake3::Hash::from_hex(hex).ok().map(Into::into)
}

/// Lower-case hexadecimal.
pub fn hex(hash: &Hash) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}
