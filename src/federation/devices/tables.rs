//! The tables of devices across servers, from 0x0840.

use base::Millis;
use kv::{Positions, Table, TableInfo};
use room::RoomNum;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

/// Users of other servers whose list of devices is kept.
pub const LISTS: Table<OwnedUserId, ListRow> = Table::new(0x0840, "federation.device_lists", 1);
/// Those of them whose list misses something.
pub const STALE: Table<OwnedUserId, StaleRow> = Table::new(0x0841, "federation.stale_device_lists", 1);
/// The number of the last change that other servers were told of, by user of ours.
pub const STREAMS: Table<OwnedUserId, u64> = Table::new(0x0842, "federation.device_streams", 1);
/// What other servers were told of a device: a hash.
pub const TOLD: Table<(OwnedUserId, OwnedDeviceId), [u8; 32]> = Table::new(0x0843, "federation.told_devices", 1);
/// What other servers were told of a user's cross-signing keys: a hash.
pub const TOLD_KEYS: Table<OwnedUserId, [u8; 32]> = Table::new(0x0844, "federation.told_cross_signing", 1);
/// Up to where changes of our users were followed.
pub const FOLLOWED: Table<(), Followed> = Table::new(0x0845, "federation.followed_devices", 1);
/// Rooms that users of ours have joined and whose servers were not told of their devices yet.
pub const JOINED: Table<(OwnedUserId, RoomNum), ()> = Table::new(0x0846, "federation.joined", 1);

/// A list that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    /// Its number at the server of its user; `None` when it came without one, so that the next change is a gap.
    pub stream: Option<u64>,
    /// Where our stream was when it was begun to be kept.
    pub since: Positions,
}

/// A list that misses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StaleRow {
    /// Counts what came while it was stale.
    pub missed: u64,
    /// Failures one after another.
    pub tries: u32,
    /// When it is tried again, in milliseconds since the epoch.
    pub again: Millis,
}

/// How far changes were followed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Followed {
    /// Up to here.
    pub upto: Positions,
}

/// All of them.
pub const ALL: &[TableInfo] =
    &[LISTS.info(), STALE.info(), STREAMS.info(), TOLD.info(), TOLD_KEYS.info(), FOLLOWED.info(), JOINED.info()];

kv::value!(ListRow, StaleRow, Followed);
