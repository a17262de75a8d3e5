//! Operations that touch several domains: what one crate must not know of another is brought together here.
//!
//! **Owns** no rows: joining, inviting, creating and replacing rooms with the profiles of those concerned, profile
//! changes that go to rooms, leaving everything at the end of an account, finding people, server notices.
//! **Must not know** HTTP.
//! **Tables**: none.
//! **Tasks**: none.
//! **Invariants**
//! - Each room changes in a transaction of its own; what spans rooms can be repeated and then does what is missing.

mod carry;
mod config;
mod create;
mod error;
mod members;
mod membership;
mod notices;
mod people;
mod profile;
mod remote;
#[cfg(test)]
mod tests;

use account::{AccountData, Accounts, Profiles};
use appservice::Appservices;
use room::Rooms;

pub use config::NoticesConfig;
pub use error::FlowError;
pub use notices::Notices;
pub use people::Found;
pub use remote::Spaces;

/// Result with a [`FlowError`].
pub type Result<T, E = FlowError> = std::result::Result<T, E>;

/// The domains that operations run over. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Flows {
    /// Accounts.
    pub accounts: Accounts,
    /// Application services, which may know users and aliases that are not known here yet.
    pub appservices: Appservices,
    /// Profiles.
    pub profiles: Profiles,
    /// Account data.
    pub account_data: AccountData,
    /// Rooms.
    pub rooms: Rooms,
    /// Media.
    pub media: media::Media,
    /// What other servers said of rooms.
    pub spaces: Spaces,
    /// Other servers.
    pub federation: federation::Client,
    /// Memberships across servers.
    pub memberships: federation::Memberships,
    /// Push rules.
    pub rules: push::Rules,
    /// Who sends server notices.
    pub notices: Notices,
}
