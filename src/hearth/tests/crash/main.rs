//! `kill -9` under load, again and again on one data directory: what was acknowledged is there afterwards, once, and
//! who was syncing goes on without a gap.

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

#[cfg(target_os = "linux")]
mod dead_servers;
mod events;
mod mail;
mod process;
