//! The tables of this crate; ids from 0x0400.

use kv::{Stamp, Stamped, Table, TableInfo};
use room::RoomNum;
use ruma::OwnedUserId;

use crate::{
    presence::PresenceRow,
    receipts::{ReceiptKey, ReceiptRow},
};

/// How far a user has read: by room, user, kind and thread (see [`crate::Thread`]).
pub const RECEIPTS: Table<(RoomNum, OwnedUserId, u8, String), Stamped<ReceiptRow>> =
    Table::new(0x0400, "ephemeral.receipts", 1);
/// Where in the stream each receipt stands: the rest of its key.
pub const RECEIPT_LOG: Table<(RoomNum, Stamp), ReceiptKey> = Table::new(0x0401, "ephemeral.receipt_log", 1);
/// Rooms in which a user's own receipts moved: the same stamps as in the receipt log.
pub const OWN_RECEIPTS: Table<(OwnedUserId, Stamp), RoomNum> = Table::new(0x0403, "ephemeral.own_receipts", 1);
/// What a user last said of their presence; written without fsync.
pub const PRESENCE: Table<OwnedUserId, PresenceRow> = Table::new(0x0402, "ephemeral.presence", 1);

/// Every table of this crate.
pub const ALL: &[TableInfo] = &[RECEIPTS.info(), RECEIPT_LOG.info(), OWN_RECEIPTS.info(), PRESENCE.info()];
