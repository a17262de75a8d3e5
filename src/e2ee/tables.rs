//! The tables of this crate; ids from 0x0700. Keys and messages are JSON text, as canonical as ruma writes it.

use base::Millis;
use kv::{Stamp, Stamped, Table, TableInfo};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{KeyCounts, session::BackedUp};

/// Identity keys of devices.
pub const DEVICE_KEYS: Table<(OwnedUserId, OwnedDeviceId), String> = Table::new(0x0700, "e2ee.device_keys", 1);
/// Unclaimed one-time keys by algorithm, in the order of uploads; the last part tells those of one upload apart.
pub const ONE_TIME: Table<(OwnedUserId, OwnedDeviceId, String, Stamp, u32), StoredKey> =
    Table::new(0x0701, "e2ee.one_time_keys", 1);
/// What is known of the one-time keys of a device, by `algorithm:id`: those that are unclaimed or in [`CLAIMED`].
pub const ONE_TIME_IDS: Table<(OwnedUserId, OwnedDeviceId, String), Seen> =
    Table::new(0x0702, "e2ee.one_time_key_ids", 1);
/// What is left of the keys of a device, which every response to a sync tells. Devices from before there was this table
/// have no row.
pub const LEFT: Table<(OwnedUserId, OwnedDeviceId), KeyCounts> = Table::new(0x0716, "e2ee.keys_left", 1);
/// How many one-time keys of an algorithm are unclaimed.
pub const COUNTS: Table<(OwnedUserId, OwnedDeviceId, String), u64> = Table::new(0x0703, "e2ee.one_time_key_counts", 1);
/// The ids of one-time keys that were claimed last, numbered in that order.
pub const CLAIMED: Table<(OwnedUserId, OwnedDeviceId, u64), String> = Table::new(0x0715, "e2ee.claimed_key_ids", 1);
/// Fallback keys by algorithm.
pub const FALLBACK: Table<(OwnedUserId, OwnedDeviceId, String), Fallback> = Table::new(0x0704, "e2ee.fallback_keys", 1);
/// Cross-signing keys by [`crate::CrossSigning::code`].
pub const CROSS_SIGNING: Table<(OwnedUserId, u8), String> = Table::new(0x0705, "e2ee.cross_signing_keys", 1);
/// Signatures that were added to keys: whose key, device id or public key, who signed, with which key.
pub const SIGNATURES: Table<(OwnedUserId, String, OwnedUserId, String), String> =
    Table::new(0x0706, "e2ee.signatures", 1);
/// When the devices or cross-signing keys of a user last changed.
pub const CHANGED: Table<OwnedUserId, Stamped<()>> = Table::new(0x0707, "e2ee.changed", 1);
/// The same in order of position: one row per user.
pub const CHANGE_LOG: Table<Stamp, OwnedUserId> = Table::new(0x0708, "e2ee.change_log", 1);
/// Users of whose keys only the first one sees something new: that they signed them. One row per pair, see
/// [`OWN_CHANGED`].
pub const OWN_LOG: Table<(OwnedUserId, Stamp), OwnedUserId> = Table::new(0x0709, "e2ee.own_changes", 1);
/// Messages to devices.
pub const MAIL: Table<(OwnedUserId, OwnedDeviceId, Stamp), String> = Table::new(0x070A, "e2ee.mail", 1);
/// Transactions of messages that a device has sent, by event type and transaction id, and when; `e2ee.sent` was 0x070B.
pub const SENT: Table<(OwnedUserId, OwnedDeviceId, String, String), Millis> =
    Table::new(0x070E, "e2ee.sent_transactions", 1);
/// The same in order of time.
pub const SENT_LOG: Table<(Millis, OwnedUserId, OwnedDeviceId, String, String), ()> =
    Table::new(0x070F, "e2ee.sent_log", 1);
/// Key backups; deleted ones stay so that their number is not used again.
pub const BACKUPS: Table<(OwnedUserId, u64), Backup> = Table::new(0x070C, "e2ee.backups", 1);
/// Sessions of a backup by room and session id.
pub const BACKED_UP: Table<(OwnedUserId, u64, String, String), BackedUp> = Table::new(0x070D, "e2ee.backed_up", 1);
/// Where in [`OWN_LOG`] a pair of users stands.
pub const OWN_CHANGED: Table<(OwnedUserId, OwnedUserId), Stamped<()>> = Table::new(0x0710, "e2ee.own_changed", 1);
/// The dehydrated device of a user.
pub const DEHYDRATED: Table<OwnedUserId, DehydratedRow> = Table::new(0x0711, "e2ee.dehydrated", 1);
/// Messages that came from other servers, by server and message id, and when.
pub const RECEIVED: Table<(String, String), Millis> = Table::new(0x0712, "e2ee.received", 1);
/// The same in order of time.
pub const RECEIVED_LOG: Table<(Millis, String, String), ()> = Table::new(0x0713, "e2ee.received_log", 1);
/// The one-time key of an algorithm that was claimed last since the last upload: those before it are gone, and walking
/// over where they were costs time.
pub const HEADS: Table<(OwnedUserId, OwnedDeviceId, String), Head> = Table::new(0x0714, "e2ee.one_time_key_heads", 1);

/// Every table of this crate.
pub const ALL: &[TableInfo] = &[
    DEVICE_KEYS.info(),
    ONE_TIME.info(),
    ONE_TIME_IDS.info(),
    LEFT.info(),
    COUNTS.info(),
    CLAIMED.info(),
    FALLBACK.info(),
    CROSS_SIGNING.info(),
    SIGNATURES.info(),
    CHANGED.info(),
    CHANGE_LOG.info(),
    OWN_LOG.info(),
    MAIL.info(),
    SENT.info(),
    SENT_LOG.info(),
    OWN_CHANGED.info(),
    DEHYDRATED.info(),
    RECEIVED.info(),
    RECEIVED_LOG.info(),
    HEADS.info(),
    BACKUPS.info(),
    BACKED_UP.info(),
];

/// A key with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// `algorithm:id`
    pub id: String,
    /// The key.
    pub json: String,
}

/// A one-time key that was uploaded at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Of its JSON.
    pub hash: [u8; 32],
    /// Whether it was handed out.
    pub claimed: bool,
}

/// A key for when no one-time key is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// The key.
    pub key: StoredKey,
    /// Whether it was handed out.
    pub used: bool,
}

/// A key backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// How its sessions are encrypted.
    pub algorithm: String,
    /// JSON object.
    pub auth_data: String,
    /// Counts the changes of its sessions.
    pub etag: u64,
    /// Sessions in it.
    pub count: u64,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// A device that nobody is logged in on; its private keys are kept here encrypted. MSC3814.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DehydratedRow {
    /// Its id.
    pub device: OwnedDeviceId,
    /// What a client needs to become it, a JSON object.
    pub data: String,
}

/// Where a one-time key stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Of its upload.
    pub at: Stamp,
    /// Within that.
    pub index: u32,
}

kv::value!(Head, DehydratedRow, StoredKey, Seen, Fallback, Backup, BackedUp);
