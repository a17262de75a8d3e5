//! Rooms: their events, their state, their timelines, who is in them.
//!
//! **Owns** the event graph and its tip, the persistent state trees, the timeline, the one write path for events
//! ([`Rooms::append`]), memberships, and reading all of that.
//! **Must not know** HTTP, sync responses, push rules, the network. What other crates derive from an event they
//! do in a [`Projection`], inside the transaction that appends it.
//! **Tables**: [`tables`].
//! **Tasks**: [`Rooms::index_old_rooms`], once; [`Rooms::sweep_sent`], every few hours.
//! **Invariants**
//! - `append` is the only function that adds to a timeline; an event and all that is derived from it are one
//!   transaction, which decides on the room's [`Tip`].
//! - Equal states have equal roots; the state before an event never changes once it is stored.
//! - An event is shown only if its verdict is accepted and it has a place.
//! - Row caches are filled from transactions that have written nothing yet, so an aborted one leaves no trace.

mod access;
mod append;
mod by_time;
mod caches;
#[cfg(test)]
mod cases;
mod chain;
mod check;
mod compose;
mod create;
mod delayed;
pub mod directory;
mod erased;
mod error;
pub mod filter;
pub mod handshake;
mod hierarchy;
mod history;
mod ingest;
mod lookup;
mod membership;
mod num;
mod policy;
mod present;
mod projection;
mod redaction;
pub mod relations;
mod report;
#[cfg(any(test, feature = "rig"))]
pub mod rig;
mod rooms;
pub mod row;
mod sent;
pub mod serve;
mod servers;
pub mod state;
mod summary;
pub mod tables;
mod timeline;
mod token;
mod upgrade;
mod visibility;

pub use access::Access;
pub use compose::{Once, Outgoing};
pub use create::{CreateRoom, InitialState, MemberProfile, Preset};
pub use delayed::{DelayError, Delayed, DelayedAction, DelayedEnd, Later, Outcome};
pub use error::RoomError;
pub use filter::{EventFilter, RelTypes, RelatedBy};
pub use hierarchy::{HierarchyQuery, HierarchyRoom, OwnRoom};
pub use history::{Context, HistoryPage, HistoryQuery};
pub use ingest::{
    Between, Gap, Hidden, Ingested, Invitation, Joined, Missing, RemoteState, StatesBefore, Terms, in_order,
};
pub use lookup::MemberEvent;
pub use membership::{Entry, MemberAction, MemberChange, MemberStep, membership_of};
pub use num::{EventNum, Place, RoomNum};
pub use policy::{AskPolicy, PolicyError, PolicyServer};
pub use projection::{Appended, Projection};
pub use relations::{Include, RelationsPage, RelationsQuery, ThreadsPage};
pub use report::Report;
pub use rooms::{Config, Rooms};
pub use row::{EventMeta, EventRow, Membership, RoomInfo, Tip, UserRoom};
pub use summary::RoomSummary;
pub use tables::EventRef;
pub use timeline::{Direction, TimelinePage};
pub use token::TimelineToken;
pub use upgrade::Upgrade;
pub use visibility::{HistoryVisibility, Stay, Viewer, membership_in};

/// Result with a [`RoomError`].
pub type Result<T, E = RoomError> = std::result::Result<T, E>;
