//! The one HTTP client for everything that leaves this server.
//!
//! **Owns** the address filter, DNS, TLS of outgoing connections, redirects, limits of time and size, connection pools.
//! **Must not know** Matrix: who is asked for what, and how often, is its callers' business.
//! **Tables**: none. **Tasks**: none.
//! **Invariants**
//! - A connection is made only to an address that passed the [`filter`], and to that very address: names are resolved
//!   once, filtered, and what is left is what is connected to. Addresses in URLs pass the same filter.
//! - Redirects are followed here, one by one, so that each hop passes the filter; never from https to http.
//! - No more of an answer is held than its request allows, counted after decompression.
//! - Proxies of the system's environment are ignored: they would connect to what the filter refuses.

mod client;
mod config;
mod dns;
mod download;
mod error;
pub mod filter;
mod redirect;
mod request;
mod resolve;
mod srv;
mod tls;
mod url;

pub use client::Outbound;
pub use config::{CONNECT_TIMEOUT, Config, DEFAULT_TIMEOUT, DNS_TIMEOUT, IDLE_TIMEOUT, MAX_REDIRECTS};
pub use download::Download;
pub use error::Error;
pub use request::{Answer, Request, Target};
pub use srv::Srv;
pub use url::Url;

/// Result with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
