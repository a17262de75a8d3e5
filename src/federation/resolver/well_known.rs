use std::time::{Duration, UNIX_EPOCH};

use base::{Clock, Millis};
use http::StatusCode;
use moka::future::Cache;
use outbound::{Outbound, Request, Url};

use super::{
    CAPACITY, document,
    lifetime::{self, Known, Outcome},
};

/// How long a document may take, redirects included.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A document is asked for again before its time when its server cannot be reached and it is older than this.
const DOUBTFUL_AFTER: Millis = 60 * 60 * 1000;

/// Well-known documents of hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct WellKnown {
    outbound: Outbound,
    clock: Clock,
    known: Cache<String, Known>,
    /// 443 but in tests.
    pub(super) port: u16,
}

impl WellKnown {
    pub(super) fn new(outbound: Outbound, clock: Clock) -> Self {
        Self { outbound, clock, known: Cache::new(CAPACITY), port: 443 }
    }

    /// The name that a host delegates to.
    pub(super) async fn delegate(&self, host: &str) -> Option<String> {
        let now = self.clock.now();
        let entry = self.known.entry_by_ref(host);
        let known = entry.or_insert_with_if(self.ask_again(host), |known| known.expires <= now).await;
        known.into_value().delegate
    }

    /// Has a document asked for again soon that is not new; gives the name it delegates to.
    pub(super) async fn doubt(&self, host: &str) -> Option<String> {
        let known = self.known.get(host).await?;
        let now = self.clock.now();
        if known.delegate.is_some() && now >= known.read + DOUBTFUL_AFTER {
            self.known.insert(host.to_owned(), Known { expires: known.expires.min(now), ..known.clone() }).await;
        }
        known.delegate
    }

    async fn ask_again(&self, host: &str) -> Known {
        let before = self.known.get(host).await;
        let outcome = self.ask(host).await;
        tracing::debug!(host, ?outcome, "asked for a well-known document");
        let chance = u64::from(u16::from_le_bytes(base::random::bytes())) % 1000;
        Known::after(before.as_ref(), outcome, self.clock.now(), chance)
    }

    async fn ask(&self, host: &str) -> Outcome {
        let address = match self.port {
            443 => format!("https://{host}/.well-known/matrix/server"),
            port => format!("https://{host}:{port}/.well-known/matrix/server"),
        };
        let Ok(url) = Url::parse(&address) else { return Outcome::Absent };
        let request = Request::get(url).follow_redirects().timeout(TIMEOUT).max_body(document::MAX_BYTES);
        let answer = match self.outbound.send(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_temporary() => return Outcome::Down,
            Err(_) => return Outcome::Absent,
        };
        if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Outcome::Down;
        }
        match document::delegate(&answer.body).filter(|_| answer.status == StatusCode::OK) {
            Some(name) => {
                let now = UNIX_EPOCH + Duration::from_millis(self.clock.now());
                Outcome::Delegates(name, lifetime::of(&answer.headers, now))
            }
            None => Outcome::Absent,
        }
    }
}
