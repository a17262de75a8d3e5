//! Rows of the media crate. Ids 0x0200 to 0x02FF.

use base::Millis;
use kv::{Table, TableInfo};
use ruma::{OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

/// BLAKE3 of a file's bytes.
pub type Hash = [u8; 32];

/// Media by server and id.
pub const ITEMS: Table<(OwnedServerName, String), Item> = Table::new(0x0200, "media.items", 1);
/// An account's uploads in order of time, with their sizes in bytes.
pub const BY_USER: Table<(OwnedUserId, u64, String), u64> = Table::new(0x0201, "media.user_items", 1);
/// What an account uses.
pub const USAGE: Table<OwnedUserId, Usage> = Table::new(0x0202, "media.user_usage", 1);
/// Ids of ours without an upload, by the time they expire.
pub const EXPIRIES: Table<(u64, String), OwnedUserId> = Table::new(0x0203, "media.expiries", 1);
/// Stored files by hash.
pub const BLOBS: Table<Hash, Blob> = Table::new(0x0204, "media.blobs", 1);
/// Blobs that no item names; the next clean-up removes them.
pub const ORPHANS: Table<Hash, ()> = Table::new(0x0205, "media.orphans", 1);
/// Cached thumbnails by hash of the original and variant. May be lost.
pub const THUMBNAILS: Table<(Hash, String), Thumbnail> = Table::new(0x0206, "media.thumbnails", 1);

/// Days since the epoch.
pub type Day = u32;
/// Kept media of other servers by the day on which somebody last asked for it, with its size in bytes.
pub const REMOTE: Table<(Day, OwnedServerName, String), u64> = Table::new(0x0207, "media.remote", 1);
/// The day of each row of [`REMOTE`].
pub const REMOTE_DAYS: Table<(OwnedServerName, String), Day> = Table::new(0x0208, "media.remote_days", 1);
/// Previews of links by the hash of the address.
pub const PREVIEWS: Table<Hash, Preview> = Table::new(0x0240, "media.previews", 1);
/// When previews are removed, with the id of the picture stored for each; empty for none.
pub const PREVIEW_ENDS: Table<(u64, Hash), String> = Table::new(0x0241, "media.preview_ends", 1);

/// Every table of the crate.
pub const ALL: &[TableInfo] = &[
    ITEMS.info(),
    BY_USER.info(),
    USAGE.info(),
    EXPIRIES.info(),
    BLOBS.info(),
    ORPHANS.info(),
    THUMBNAILS.info(),
    REMOTE.info(),
    REMOTE_DAYS.info(),
    PREVIEWS.info(),
    PREVIEW_ENDS.info(),
];

/// One media id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Who created it; `None` for media of other servers.
    pub owner: Option<OwnedUserId>,
    /// When the id was created.
    pub created: Millis,
    /// What is behind it.
    pub content: ItemContent,
    /// From before authenticated media: served without a token. Only an import sets it.
    pub legacy: bool,
}

/// What is behind a media id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemContent {
    /// Nothing yet; the id is void from then on.
    Promised {
        /// End of the promise.
        expires: Millis,
    },
    /// A file.
    File {
        /// Of its bytes; names a row of [`BLOBS`].
        hash: Hash,
        /// Its length in bytes.
        size: u64,
        /// Safe to send as a header.
        content_type: String,
        /// As the uploader named it.
        filename: Option<String>,
    },
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Name of the file in the store; never used twice.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// How many items name it.
    pub refs: u64,
}

/// What an account uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Uploaded files.
    pub files: u64,
    /// Their bytes, equal files counted each.
    pub bytes: u64,
    /// Ids without an upload.
    pub pending: u32,
}

/// A cached thumbnail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// `image/…`
    pub content_type: String,
    /// Length in bytes; a file of another length is made again.
    pub size: u64,
    /// The original serves as its own thumbnail; there is no other file.
    pub original: bool,
}

/// What a page said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// When it was looked at.
    pub made: Millis,
    /// The answer to clients.
    pub json: String,
}

kv::value!(Preview, Item, Blob, Usage, Thumbnail);
