//! Finding servers: from a server's name to where to connect, and what to ask for there. Server-server API, "Server
//! discovery".
//!
//! What needs no network is pure: [`steps`] reads names, [`document`] well-known documents, [`lifetime`] says how long
//! what was found is believed. Both caches are bounded, and who asks for the same at the same time waits for one.

mod document;
mod lifetime;
mod steps;
mod well_known;

pub use document::delegate;

use base::{Clock, Millis};
use moka::future::Cache;
use outbound::{Outbound, Srv, Target};
use ruma::ServerName;

use steps::Step;
use well_known::WellKnown;

/// Hosts remembered.
const CAPACITY: u64 = 20_000;
/// How long a route by SRV records, or without any, is believed.
const ROUTE_LIFE: Millis = 5 * 60 * 1000;
/// How long it is believed when records could not be asked for.
const UNSURE_LIFE: Millis = 30 * 1000;

/// How to reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Host of the URL, with a port if that is where to connect: the certificate must be for this host.
    pub authority: String,
    /// The `Host` header.
    pub host: String,
    /// Where to connect if not to the authority, in this order.
    pub targets: Option<Vec<Target>>,
}

/// Where a name alone leads; `None` when documents and records have to be asked for.
#[must_use]
pub fn direct(name: &str) -> Option<Route> {
    match Step::of(name) {
        Step::Direct(route) => Some(route),
        Step::Ask(_) => None,
    }
}

/// A route to a host and how long it is believed.
#[derive(Debug, Clone)]
struct Found {
    route: Route,
    expires: Millis,
}

/// Finds servers and remembers where they are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resolver {
    outbound: Outbound,
    clock: Clock,
    well_known: WellKnown,
    routes: Cache<String, Found>,
}

impl Resolver {
    /// One that asks through `outbound`.
    #[must_use]
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        Self {
            well_known: WellKnown::new(outbound.clone(), clock.clone()),
            outbound,
            clock,
            routes: Cache::new(CAPACITY),
        }
    }

    /// As [`Resolver::new`], asking for well-known documents on another port than 443. For tests.
    #[must_use]
    pub fn with_well_known_port(mut self, port: u16) -> Self {
        self.well_known.port = port;
        self
    }

    /// How to reach a server. What cannot be found out is left out: connecting then says why.
    pub async fn route(&self, server: &ServerName) -> Route {
        let host = match Step::of(server.as_str()) {
            Step::Direct(route) => return route,
            Step::Ask(host) => host,
        };
        let Some(delegate) = self.well_known.delegate(&host).await else { return self.by_records(host).await };
        match Step::of(&delegate) {
            Step::Direct(route) => route,
            Step::Ask(delegate) => self.by_records(delegate).await,
        }
    }

    /// Says that a server could not be reached, so that it is looked for again soon.
    pub async fn unreachable(&self, server: &ServerName) {
        let Step::Ask(host) = Step::of(server.as_str()) else { return };
        let delegate = self.well_known.doubt(&host).await;
        self.routes.invalidate(&delegate.unwrap_or(host)).await;
    }

    async fn by_records(&self, host: String) -> Route {
        let now = self.clock.now();
        let entry = self.routes.entry_by_ref(&host);
        let found = entry.or_insert_with_if(self.look_up(&host), |found| found.expires <= now).await;
        found.into_value().route
    }

    /// Both records are asked for at once, as a dead name server costs seconds.
    async fn look_up(&self, host: &str) -> Found {
        let [service, old_service] = steps::services(host);
        let (new, old) = futures::join!(self.outbound.srv(&service), self.outbound.srv(&old_service));
        let unsure = new.is_err() || old.is_err();
        let none_if_empty = |records: Result<Vec<Srv>, _>| records.ok().filter(|records| !records.is_empty());
        let records = none_if_empty(new).or_else(|| none_if_empty(old)).unwrap_or_default();
        let life = if unsure { UNSURE_LIFE } else { ROUTE_LIFE };
        Found { route: steps::by_records(host, records), expires: self.clock.now() + life }
    }
}
