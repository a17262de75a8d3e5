use std::time::Duration;

use base::{Clock, Millis};
use moka::{ops::compute::Op, sync::Cache};
use ruma::{OwnedServerName, ServerName};

/// After an answer: keys do not change faster.
const ANSWERED_MS: Millis = 60_000;
/// After the first failure; doubled with each further one.
const FAILED_MS: Millis = 10_000;
/// At most.
const LONGEST_MS: Millis = 10 * 60_000;
/// Servers remembered.
const CAPACITY: u64 = 20_000;

/// When each server may be asked for its keys again. In memory, bounded.
#[derive(Debug)]
pub(super) struct Pauses {
    clock: Clock,
    until: Cache<OwnedServerName, Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Millis,
    failures: u32,
}

impl Pauses {
    pub(super) fn new(clock: Clock) -> Self {
        let until = Cache::builder().max_capacity(CAPACITY).time_to_idle(Duration::from_secs(60 * 60)).build();
        Self { clock, until }
    }

    /// Whether the server is left alone now.
    pub(super) fn has(&self, server: &ServerName) -> bool {
        self.until.get(server).is_some_and(|pause| self.clock.now() < pause.until)
    }

    /// The server itself has answered.
    pub(super) fn answered(&self, server: &ServerName) {
        let until = self.clock.now().saturating_add(ANSWERED_MS);
        self.until.insert(server.to_owned(), Pause { until, failures: 0 });
    }

    /// It has not.
    pub(super) fn failed(&self, server: &ServerName) {
        let now = self.clock.now();
        self.until.entry(server.to_owned()).and_compute_with(|before| {
            let failures = before.map_or(0, |before| before.into_value().failures).saturating_add(1);
            let pause = FAILED_MS.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_MS);
            Op::Put(Pause { until: now.saturating_add(pause), failures })
        });
    }
}
