//! Talking to other servers: finding them, their keys, what they send, what they are sent.
//!
//! **Owns** server discovery, signed requests to other servers and the memory of which ones fail, the keys of all
//! servers ([`keys`]) and the credentials of requests ([`x_matrix`]).
//! **Must not know** HTTP extractors, clients' requests.
//! **Tables**: [`tables`].
//! **Invariants**
//! - Every request to another server goes through [`Client`], which knows with whom there is federation.

pub mod client;
mod config;
pub mod devices;
pub mod inbound;
pub mod keys;
pub mod membership;
mod policy;
mod policy_servers;
pub mod queue;
pub mod resolver;
pub mod tables;
pub mod x_matrix;

pub use client::{Answer, Answers, Backoff, Call, CallError, Client};
pub use config::Config;
pub use devices::{Claims, DeviceError, JoinsProjection, KeyAnswers, RemoteDevices};
pub use inbound::{Checks, Edus, Inbound, InboundError};
pub use keys::{KeyError, OldKey, OwnKeys, ServerKeys};
pub use membership::{MembershipError, Memberships};
pub use policy::Policy;
pub use queue::Queue;
pub use x_matrix::{Signable, XMatrix, XMatrixError};
