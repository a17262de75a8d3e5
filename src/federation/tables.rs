//! The tables of this crate, from 0x0800.

use kv::{Table, TableInfo};
use ruma::OwnedServerName;

use crate::{
    inbound::AnsweredRow,
    keys::{DocumentRow, KeyRow},
};

/// Keys of other servers by server and key id, like `ed25519:a1`.
pub const KEYS: Table<(OwnedServerName, String), KeyRow> = Table::new(0x0800, "federation.keys", 1);
/// The signed documents that [`KEYS`] came in, by server and a hash of which keys they list.
pub const DOCUMENTS: Table<(OwnedServerName, [u8; 32]), DocumentRow> =
    Table::new(0x0801, "federation.key_documents", 1);
/// Answers to the last transactions of each server.
pub const ANSWERED: Table<OwnedServerName, AnsweredRow> = Table::new(0x0831, "federation.answered", 1);

/// All of them.
pub const ALL: &[TableInfo] = &[KEYS.info(), DOCUMENTS.info(), ANSWERED.info()];

kv::value!(KeyRow, DocumentRow);
