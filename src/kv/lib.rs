//! Ordered key-value storage with transactions: the floor that every other crate stands on.
//!
//! **Owns** the [`Engine`] trait, typed [`Table`]s with their order-preserving [`codec`], transactions
//! ([`Tx`]) with conflict detection, stream positions ([`Stamp`]), the in-memory engine ([`memory`]) and the
//! suite that every engine must pass ([`conformance`]).
//! **Must not know** rooms, users or events, nor which engine runs below it.
//! **Tables**: [`schema`] keeps product and schema id under table 0.
//! **Tasks**: none.
//! **Invariants**
//! - A key names its table first, then length-safe parts, so no two tables share a key.
//! - What a transaction read with [`Read::get`] has not changed when it commits.
//! - A [`View`] shows only what is durable; a [`Tx`] sees everything that is validated.
//! - A stamp is published only after everything up to it is durable, and never given out twice.

pub mod codec;
pub mod conflict;
pub mod conformance;
mod db;
mod engine;
mod error;
pub mod flaky;
mod ids;
pub mod memory;
mod read;
mod retry;
pub mod schema;
mod stamp;
mod table;
mod topic;
mod tx;
mod value;

pub use bytes::Bytes;
pub use codec::{Encode, EncodePrefix, KeyPart};
pub use db::Db;
pub use engine::{Commit, Durability, Engine, Observer, Pending, Rows, Snapshot, StampedPut, WriteOp};
pub use error::Error;
pub use read::{Page, Read, View};
pub use retry::{Conflicts, retry};
pub use stamp::{Positions, Slot, Stamp, WriterId};
pub use table::{Range, Table, TableInfo};
pub use topic::{Announcement, Topic};
pub use tx::Tx;
pub use value::{Stamped, Value, decode_serde, encode_serde};

/// Result with the storage error.
pub type Result<T, E = Error> = std::result::Result<T, E>;
