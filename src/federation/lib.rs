//! Talking to other servers: finding them, their keys, what they send, what they are sent.
//!
//! **Owns** server discovery, signed requests to other servers and the memory of which ones fail.
//! **Must not know** HTTP extractors, clients' requests.
//! **Tables**: [`tables`].
//! **Invariants**
//! - Every request to another server goes through [`Client`], which knows with whom there is federation.

pub mod client;
mod config;
mod policy;
pub mod resolver;
pub mod tables;

pub use client::{Answer, Backoff, Call, CallError, Client};
pub use config::Config;
pub use policy::Policy;
