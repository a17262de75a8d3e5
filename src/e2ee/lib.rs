//! What clients need of the server to encrypt between each other; the server sees none of it in the clear.
//!
//! **Owns** device, one-time, fallback and cross-signing keys with their signatures ([`Keys`]), messages to devices
//! ([`Mailbox`]), [`Dehydrated`] devices, encrypted key backups ([`Backups`]), and when a user's devices changed.
//! **Must not know** HTTP, rooms: who shares one with whom decides who is told of a change, and that is for `sync`.
//! **Tables**: [`tables`]. What belongs to a device goes with it ([`KeysProjection`]).
//! **Tasks**: [`Mailbox::sweep`] forgets old transactions; run it every few minutes.
//! **Invariants**
//! - A one-time key is handed out at most once, in the order of uploads. The last thousand of a device are not taken
//!   when they are uploaded again.
//! - A key under an id that is still to be claimed never changes.
//! - A message to a device stays until the client shows by its next token that it has it; when too many wait, new
//!   ones are dropped.
//! - Only the newest version of a backup takes keys, and a session in it is replaced only by a better one.

mod backup;
#[cfg(test)]
mod cases;
mod changes;
mod claim;
mod cross_signing;
mod dehydrated;
mod device_keys;
mod error;
mod fill;
mod json;
mod keys;
mod mailbox;
mod one_time;
mod projection;
mod query;
pub mod remote;
mod restored;
mod session;
mod signatures;
mod sweep;
pub mod tables;

pub use backup::{BackupInfo, BackupState, Backups, Pages, Scope};
pub use claim::Claimed;
pub use cross_signing::{CrossSigning, CrossSigningUpload};
pub use dehydrated::{Dehydrated, NewDehydrated};
pub use device_keys::DeviceUpload;
pub use error::E2eeError;
pub use keys::Keys;
pub use mailbox::{Mail, Mailbox, Targets};
pub use one_time::KeyCounts;
pub use projection::KeysProjection;
pub use query::KeysOf;
pub use remote::RemoteKeys;
pub use session::BackedUp;
pub use signatures::Failure;

/// Result with an [`E2eeError`].
pub type Result<T, E = E2eeError> = std::result::Result<T, E>;
