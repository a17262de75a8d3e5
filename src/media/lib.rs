//! Files that users upload: metadata, bytes on disk, thumbnails; previews of links.
//!
//! **Owns** media ids and their rows, the blob store (equal files are stored once, by BLAKE3 hash), async
//! uploads, thumbnails and their cache, use per account, previews of links with their pictures.
//! **Must not know** rooms, events, HTTP. Media of other servers that is not here is answered with
//! [`Error::NotLocal`]; `flows` fetches it and has it kept.
//! **Tables** (`tables.rs`): items, items by user, use by user, expiries, blobs, orphans, thumbnails, media of
//! other servers by last use, previews and their ends.
//! **Tasks**: [`Media::clean`] (expired promises, unreferenced blobs; every few minutes), [`Media::evict`] (media of
//! other servers that is too old or too much), [`Media::sweep`] (files that no row names; at start and daily) and
//! [`Previews::sweep`] (daily). All are idempotent.
//! **Invariants**
//! - A row names a file only after the file's bytes and its directory entry are synced, so a crash leaves at
//!   most files without a row, which the sweep removes.
//! - A blob's `refs` is the number of items that name it; at 0 it has a row among the orphans.
//! - A file name is never used twice: a name removed late cannot take a newer copy of the same bytes away.
//! - Images are decoded on blocking threads only, within a number of workers, of pixels and of bytes.

mod blobs;
#[cfg(test)]
mod cases;
mod config;
mod content_type;
mod delete;
mod download;
mod error;
mod id;
mod media;
mod pending;
mod preview;
mod remote;
pub mod tables;
mod tasks;
mod thumbnail;
mod upload;
mod wait;

pub use blobs::Body;
pub use config::{Config, Format, PreviewsConfig};
pub use content_type::{inline_safe, sanitise};
pub use delete::Listed;
pub use download::{Access, Content, Download};
pub use error::Error;
pub use id::MediaId;
pub use media::Media;
pub use pending::Promise;
pub use preview::{PreviewError, Previews};
pub use tables::Usage;
pub use thumbnail::{Method, ThumbnailRequest};
pub use upload::FileInfo;

/// Result with the media error.
pub type Result<T, E = Error> = std::result::Result<T, E>;
