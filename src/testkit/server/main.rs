//! Tests of the whole server, one module per area.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod accounts;
mod appservice_events;
mod appservice_identity;
mod clients;
mod coverage;
mod edge;
mod ephemeral;
mod federated_devices;
mod federated_ephemeral;
mod federated_members;
mod federation_auth;
mod federation_client;
mod federation_inbound;
mod federation_keys;
mod federation_queue;
mod found;
mod history;
mod hostile;
mod key_backup;
mod limits;
mod media;
mod operation;
mod outbound;
mod people;
mod power;
mod rooms;
mod sync;
mod third_parties;
