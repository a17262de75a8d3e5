use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{Area, Blobs, hex, sync_dir};
use crate::tables::Hash;

/// Bytes gathered before a blocking thread hashes and writes them; small files are written only once it is
/// known that they are new.
const BATCH: usize = 256 << 10;
/// So many bytes are hashed faster than they are handed to another thread.
const INLINE: usize = 16 << 10;

/// A file being received.
pub struct Spool {
    blobs: Blobs,
    temp: Option<Temp>,
    batch: Vec<Bytes>,
    batch_len: usize,
    hasher: Box<blake3::Hasher>,
    size: u64,
}

impl Spool {
    pub(super) fn new(blobs: Blobs) -> Self {
        Self { blobs, temp: None, batch: Vec::new(), batch_len: 0, hasher: Box::default(), size: 0 }
    }

    /// Bytes received so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, chunk: Bytes) -> io::Result<()> {
        self.size += chunk.len() as u64;
        self.batch_len += chunk.len();
        self.batch.push(chunk);
        if self.batch_len < BATCH {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.batch_len = 0;
        let mut hasher = std::mem::take(&mut self.hasher);
        let temp = self.temp.take();
        let path = self.blobs.temp_path();
        let written = self.blobs.blocking(move || {
            let mut temp = temp.map_or_else(|| Temp::create(path), Ok)?;
            hash(&mut hasher, &batch);
            temp.write(&batch)?;
            Ok((hasher, temp))
        });
        let (hasher, temp) = written.await?;
        self.hasher = hasher;
        self.temp = Some(temp);
        Ok(())
    }

    /// Ends the file. It is not in the store yet.
    pub async fn finish(self) -> io::Result<Spooled> {
        let Self { blobs, temp, batch: mut rest, batch_len, mut hasher, size } = self;
        if batch_len > INLINE {
            let hashing = blobs.blocking(move || {
                hash(&mut hasher, &rest);
                Ok((hasher, rest))
            });
            (hasher, rest) = hashing.await?;
        } else {
            hash(&mut hasher, &rest);
        }
        Ok(Spooled { blobs, temp, rest, hash: hasher.finalize().into(), size })
    }
}

fn hash(hasher: &mut blake3::Hasher, batch: &[Bytes]) {
    for chunk in batch {
        hasher.update(chunk);
    }
}

/// A received file with its hash. Dropped, it leaves nothing behind.
pub struct Spooled {
    blobs: Blobs,
    temp: Option<Temp>,
    rest: Vec<Bytes>,
    /// Of all its bytes.
    pub hash: Hash,
    /// Its length in bytes.
    pub size: u64,
}

impl Spooled {
    /// Moves the file into the store and waits until bytes and name are on disk.
    pub async fn place(&mut self) -> io::Result<Placed> {
        let name = format!("{}.{}", hex(&self.hash), base::random::alphanumeric(8).to_ascii_lowercase());
        let target = self.blobs.path(Area::Files, &name).ok_or(io::ErrorKind::InvalidInput)?;
        let placed = Placed::new(&self.blobs, name);
        let (temp, rest) = (self.temp.take(), std::mem::take(&mut self.rest));
        let path = self.blobs.temp_path();
        let written = self.blobs.blocking(move || {
            let mut temp = temp.map_or_else(|| Temp::create(path), Ok)?;
            temp.write(&rest)?;
            temp.file.sync_data()?;
            temp.rename(&target)
        });
        written.await?;
        Ok(placed)
    }
}

/// A file in the store that no row names yet; the sweep leaves it alone until this is dropped.
#[derive(Debug)]
pub struct Placed {
    blobs: Blobs,
    /// Its name.
    pub name: String,
}

impl Placed {
    fn new(blobs: &Blobs, name: String) -> Self {
        blobs.0.placing.lock().insert(name.clone());
        Self { blobs: blobs.clone(), name }
    }

    /// Takes the file out again, as nothing names it.
    pub async fn discard(self) -> io::Result<()> {
        self.blobs.remove(Area::Files, vec![self.name.clone()]).await
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.blobs.0.placing.lock().remove(&self.name);
    }
}

/// A file in `tmp`, removed with the value.
struct Temp {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Temp {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, kept: false })
    }

    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<_> =
            batch.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| IoSlice::new(chunk)).collect();
        let mut left = slices.as_mut_slice();
        while !left.is_empty() {
            match self.file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        let shelf = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        match fs::rename(&self.path, target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_shelf(shelf)?;
                fs::rename(&self.path, target)?;
            }
            other => other?,
        }
        self.kept = true;
        sync_dir(shelf)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "temporary upload stays until the next start");
        }
    }
}

/// Makes the two levels above a file, and their entries durable.
fn make_shelf(shelf: &Path) -> io::Result<()> {
    fs::create_dir_all(shelf)?;
    for parent in shelf.ancestors().skip(1).take(2) {
        sync_dir(parent)?;
    }
    Ok(())
}
