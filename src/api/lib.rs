//! The HTTP edge: what Matrix clients and servers speak, decoded into calls of domain objects and back.
//!
//! **Owns** extractors ([`extract`]), replies ([`reply`]), the list of routes ([`routes`]), rate limits
//! ([`limits`]), the middleware around every request, and the one place where domain errors become HTTP
//! ([`error`]).
//! **Must not know** how anything is stored (`kv` or an engine), sockets and TLS (`hearth` has them).
//! **Tables**: none. **Tasks**: none.
//! **Invariants**
//! - An endpoint asks for exactly the credential that its ruma metadata demands; another one does not compile.
//! - Every answer carries CORS headers and a request id; every error is JSON with an `errcode`.
//! - One endpoint is one file that decodes, calls one domain function and encodes.

pub mod auth;
pub mod client;
mod config;
pub mod error;
pub mod extract;
pub mod federation;
pub mod json;
pub mod limits;
mod middleware;
mod peer;
pub mod reply;
mod router;
pub mod routes;
pub mod signed;
pub mod state;
mod stopping;

pub use auth::Caller;
pub use config::{Config, RateLimit, RateLimitsConfig, WellKnownConfig};
pub use error::MatrixError;
pub use extract::{Authed, ByAppservice, MaybeAuthed, Public};
pub use json::{JsonBody, JsonReply, PathArgs};
pub use limits::{Class, RateLimits};
pub use peer::Peer;
pub use reply::{RawReply, Reply};
pub use router::{Serves, router};
pub use routes::{Credential, RouteInfo, Routes};
pub use signed::{MaxBody, Signed};
pub use state::{AppState, Parts};
pub use stopping::Stopping;
