use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::PathBuf,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::Blobs;

/// Bytes read at a time.
const CHUNK: u64 = 256 << 10;

/// The bytes of a file on their way out; the first of them are read already.
pub struct Body {
    first: Bytes,
    rest: Option<Rest>,
}

struct Rest {
    blobs: Blobs,
    file: File,
    left: u64,
}

impl Body {
    /// Bytes that are in memory.
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self { first: bytes, rest: None }
    }

    /// Opens `path` and reads the front of `range`.
    pub(crate) async fn open(blobs: &Blobs, path: PathBuf, range: Range<u64>) -> io::Result<Self> {
        let len = range.end.saturating_sub(range.start);
        let opened = blobs.blocking(move || {
            let mut file = File::open(path)?;
            if range.start > 0 {
                file.seek(SeekFrom::Start(range.start))?;
            }
            let first = read(&mut file, len)?;
            Ok((file, first))
        });
        let (file, first) = opened.await?;
        let left = len.saturating_sub(first.len() as u64);
        let rest = (left > 0).then(|| Rest { blobs: blobs.clone(), file, left });
        Ok(Self { first, rest })
    }

    /// All of it, if it is short enough to be in memory.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        if self.rest.is_none() { Ok(self.first) } else { Err(self) }
    }

    /// The bytes in order. An error in the middle means that the answer is cut short.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let rest = stream::try_unfold(self.rest, |rest| async move {
            let Some(Rest { blobs, mut file, left }) = rest else { return Ok(None) };
            let reading = blobs.blocking(move || {
                let chunk = read(&mut file, left)?;
                Ok((chunk, file))
            });
            let (chunk, file) = reading.await?;
            let left = left.saturating_sub(chunk.len() as u64);
            Ok(Some((chunk, (left > 0).then_some(Rest { blobs, file, left }))))
        });
        stream::once(async move { Ok(self.first) }).chain(rest)
    }
}

/// The next bytes, at most `left`; an early end is an error.
fn read(file: &mut File, left: u64) -> io::Result<Bytes> {
    let want = left.min(CHUNK);
    let mut chunk = Vec::with_capacity(usize::try_from(want).unwrap_or_default());
    let got = file.take(want).read_to_end(&mut chunk)?;
    if got as u64 == want { Ok(chunk.into()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
