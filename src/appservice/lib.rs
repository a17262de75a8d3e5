//! Application services: programs that act for many users, such as bridges to other networks.
//!
//! **Owns** registrations and their namespaces, as whom an application service acts, what application services are
//! told ([`Outgoing`]) and asked.
//! **Must not know** HTTP extractors; what a user may do, however the user got here.
//! **Tables**: [`tables`]. **Tasks**: [`Outgoing::run`].
//! **Invariants**
//! - An application service acts only for its own user and for users of its namespaces, on this server.
//! - Names and aliases that are one's alone are created by nobody else.
//! - A transaction with something in it that must arrive is stored before it is sent, and is the same each time.
//! - One that fails costs a request every few minutes, holds up nobody else and keeps nothing in memory.
//! - Tokens are in no log and no error.

mod appservices;
mod config;
mod error;
mod identity;
mod load;
mod namespace;
mod outgoing;
mod post;
mod questions;
mod registration;
mod service;
pub mod tables;

pub use appservices::Appservices;
pub use config::Config;
pub use error::{AppserviceError, PostError, RegistrationError};
pub use identity::Acting;
pub use load::load;
pub use namespace::Namespace;
pub use outgoing::Outgoing;
pub use post::Post;
pub use questions::Lookup;
pub use registration::{Appservice, Registration};

/// Result with an [`AppserviceError`].
pub type Result<T, E = AppserviceError> = std::result::Result<T, E>;
