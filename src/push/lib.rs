//! Push rules and what follows from them: unread counts and notifications; pushers; which threads users follow.
//!
//! **Owns** the default rules, the rules of users, their evaluation, the sums that unread counts are
//! made of, pushers, and the threads that users follow.
//! **Must not know** HTTP, sync responses.
//! **Tables**: [`tables`]. Rules are account data `m.push_rules`, kept once they differ from the defaults.
//! **Tasks**: none.
//! **Invariants**
//! - No row is written per member: an event is summed once for the room and once for its sender, and once more for
//!   each local member whom it mentions or whose own rules it matches.
//! - Sums say which rules events match; what these rules do is read when somebody asks, so changing what a rule does
//!   changes the counts of events that are already there. A rule with new conditions counts from then on.
//! - The cost of counting does not depend on how many events are unread.

#[cfg(test)]
mod cases;
mod counts;
mod custom;
mod defaults;
mod error;
mod facts;
mod judge;
mod ledger;
mod names;
mod notifications;
mod projection;
mod pushers;
mod rules;
mod signs;
mod subscriptions;
pub mod tables;
mod tally;
mod unread;

pub use counts::{Counts, Reader, RoomCounts};
pub use error::PushError;
pub use notifications::{Notification, NotificationsPage};
pub use projection::CountsProjection;
pub use pushers::{Pushers, PushersProjection};
pub use rules::Rules;
pub use subscriptions::{Followed, Subscription, SubscriptionError, Subscriptions};
pub use unread::Unread;

/// Result with a [`PushError`].
pub type Result<T, E = PushError> = std::result::Result<T, E>;
