//! The composition root: everything is built here, bottom-up, and nothing is decided here.
//!
//! **Owns** the command line ([`cli`]), the configuration ([`config`]), wiring ([`wire`]), sockets and TLS
//! ([`listen`]), the socket for commands ([`control`]), start and stop ([`server`]).
//! **Must not know** what an endpoint or a domain object does.
//! **Tables**: none of its own; [`wire`] lists those of all crates. **Tasks**: [`tasks`] lists those of all crates.
//! **Invariants**
//! - One server per data directory.
//! - A setting that is not known is an error, never ignored.

pub mod cli;
mod commands;
mod compact;
pub mod config;
pub mod control;
mod descriptors;
mod error;
mod health;
mod listen;
mod lock;
pub mod logs;
mod metrics;
mod repair;
mod restored;
pub mod server;
mod signing;
mod tasks;
pub mod wire;

pub use commands::{Answer, Command};
pub use compact::compact;
pub use config::Config;
pub use error::Error;
pub use repair::repair;
pub use server::Server;
pub use signing::rotate_signing_key;
