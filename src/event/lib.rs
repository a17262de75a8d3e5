//! Events and the rules about them, pure: no I/O, no clock, no randomness, no async.
//!
//! Owns: the event format of every room version ([`Pdu`]), canonical JSON, hashes and signatures
//! ([`Signer`]), building events ([`Draft`]), the stored form and what clients see of it
//! ([`StoredEvent`]), redaction, verification ([`verify`]), authorization ([`authorize`],
//! [`check_auth_events`]) and state resolution ([`state_res`]).
//!
//! Must not know: where events are kept, who is connected, what time it is.
//!
//! Invariants: a [`Pdu`] holds canonical JSON of the federation format without `unsigned`; its id
//! and its fields are those of that JSON. Nothing here panics on input. Events whose numbers do not
//! fit 64-bit integers, which room versions 1 to 5 would allow, are refused.

pub mod auth;
pub mod canonical;
#[cfg(test)]
mod cases;
mod client;
mod cosign;
mod draft;
mod hash;
mod pdu;
mod redact;
mod scan;
mod sign;
pub mod state_res;
mod stored;
pub mod verify;
pub mod version;

pub use auth::{Denied, auth_types, authorize, check_auth_events, power::PowerLevels};
pub use client::ClientFormat;
pub use draft::{BuildError, Draft, Place};
pub use hash::reference_hash;
pub use pdu::{FormatError, MAX_AUTH_EVENTS, MAX_EVENT_BYTES, MAX_FIELD_BYTES, MAX_PREV_EVENTS, Pdu, create_event_id};
pub use redact::may_redact;
pub use ruma::{events::room::power_levels::UserPowerLevel, room_version_rules::RoomVersionRules};
pub use sign::Signer;
pub use stored::{Corrupt, StoredEvent};
pub use version::rules;
