//! Application services: programs that act for many users, such as bridges to other networks.
//!
//! **Owns** registrations and their namespaces, and as whom an application service acts.
//! **Must not know** HTTP extractors; what a user may do, however the user got here.
//! **Tables**: none. **Tasks**: none.
//! **Invariants**
//! - An application service acts only for its own user and for users of its namespaces, on this server.
//! - Names and aliases that are one's alone are created by nobody else.
//! - Tokens are in no log and no error.

mod appservices;
mod config;
mod error;
mod identity;
mod load;
mod namespace;
mod registration;

pub use appservices::Appservices;
pub use config::Config;
pub use error::{AppserviceError, RegistrationError};
pub use identity::Acting;
pub use load::load;
pub use namespace::Namespace;
pub use registration::{Appservice, Registration};

/// Result with an [`AppserviceError`].
pub type Result<T, E = AppserviceError> = std::result::Result<T, E>;
