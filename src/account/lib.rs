//! Accounts: who may use this server, how they prove it, and what they keep on it.
//!
//! **Owns** users, passwords, sessions (access and refresh tokens), devices, user-interactive authentication
//! ([`Uia`]), registration, profiles ([`Profiles`]) and the index of their names ([`People`]), account data ([`AccountData`]), filters ([`Filters`]),
//! OpenID and login tokens.
//! **Must not know** HTTP, rooms, encryption keys, pushers. What other crates keep per device or user they remove in a
//! [`DeviceProjection`], inside the transaction that removes the device or ends the account.
//! **Tables**: [`tables`].
//! **Tasks**: [`Accounts::sweep`] drops expired one-time tokens; run it every few minutes.
//! **Invariants**
//! - A token is stored only as its hash, and dies with its device in the same transaction.
//! - A device has at most two sets of tokens: the current one, and the one before until the current one is used.
//! - An account is never removed: a name that was used once stays taken.
//! - Password hashing runs on at most as many threads as there are cores, for unknown users too.

mod account_data;
mod accounts;
#[cfg(test)]
mod cases;
mod config;
mod device;
mod error;
mod filter;
mod invites;
mod localpart;
mod login_token;
mod names;
mod openid;
mod password;
mod profile;
mod refresh;
mod register;
mod session;
mod shared_secret;
mod signed;
mod sweep;
pub mod tables;
mod tag;
mod token;
mod tries;
mod turn;
mod uia;
mod user;

pub use account_data::{AccountData, AccountDataChange};
pub use accounts::Accounts;
pub use config::{Config, PasswordsConfig, RegistrationConfig, RegistrationMode, SessionsConfig, TurnConfig};
pub use device::{Device, DeviceChange, DeviceProjection};
pub use error::{AccountError, ProfileError};
pub use filter::Filters;
pub use invites::{InviteFilter, InviteVerdict};
pub use names::{People, Person};
pub use openid::OpenIdToken;
pub use password::Passwords;
pub use profile::{ProfileChange, Profiles};
pub use register::{NewAccount, Permit};
pub use session::{Issued, NewDevice, Who};
pub use shared_secret::SharedSecretRequest;
pub use tables::UserRow;
pub use tag::MAX_TAG_BYTES;
pub use turn::TurnAccess;
pub use uia::{Challenge, Operation, Passed, Refusal, Uia, UiaError, UiaFlow, stage};

/// Result with an [`AccountError`].
pub type Result<T, E = AccountError> = std::result::Result<T, E>;
