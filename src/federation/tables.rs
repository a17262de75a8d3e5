//! The tables of this crate, from 0x0800.

use kv::TableInfo;

/// All of them.
pub const ALL: &[TableInfo] = &[];
