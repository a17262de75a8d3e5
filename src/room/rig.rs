//! What tests begin with that need rooms: those of this crate, and with the feature `rig` those of crates above it.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::sync::Arc;

use base::Clock;
use event::Signer;
use kv::Db;
use ruma::{OwnedUserId, UserId};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{Config, Projection, Rooms};

/// A clock that only tests move.
#[must_use]
pub fn clock() -> Clock {
    Clock::fixed(1_700_000_000_000)
}

/// `alice` of `hearth.test`, `alice:a.test` of another server.
#[must_use]
pub fn user(name: &str) -> OwnedUserId {
    UserId::parse(if name.contains(':') { format!("@{name}") } else { format!("@{name}:hearth.test") }).unwrap()
}

/// Content of an event.
#[must_use]
pub fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

/// The key of `server`, made from `seed`.
#[must_use]
pub fn signer(server: &str, seed: u8) -> Arc<Signer> {
    Arc::new(Signer::new(server.try_into().unwrap(), "ed25519:1".try_into().unwrap(), &[seed; 32]))
}

/// The rooms of `hearth.test`.
#[must_use]
pub fn rooms(db: &Db, clock: &Clock, projections: Vec<Box<dyn Projection>>) -> Rooms {
    rooms_of(db, clock, signer("hearth.test", 7), projections)
}

/// The rooms of the server that `signer` signs for.
#[must_use]
pub fn rooms_of(db: &Db, clock: &Clock, signer: Arc<Signer>, projections: Vec<Box<dyn Projection>>) -> Rooms {
    Rooms::new(db.clone(), clock.clone(), signer, Config::default(), 1 << 20, projections)
}
