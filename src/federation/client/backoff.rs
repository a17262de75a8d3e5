use std::time::Duration;

use base::{Clock, Millis};
use moka::{ops::compute::Op, sync::Cache};
use ruma::{OwnedServerName, ServerName};

use super::CallError;

/// The first pause in milliseconds.
const FIRST_MS: u64 = 10_000;
/// The longest pause in milliseconds.
const LONGEST_MS: u64 = 60 * 60 * 1000;
/// Servers remembered.
const CAPACITY: u64 = 20_000;

/// Which servers failed lately and when they are tried again: after 10 seconds, then doubling up to an hour, each with
/// a fifth of jitter. In memory, bounded. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backoff {
    clock: Clock,
    failing: Cache<OwnedServerName, Failing>,
}

/// What is remembered of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failing {
    /// Failures one after another; those of requests under way at the same time are one.
    times: u32,
    /// When the last one was noticed.
    at: Millis,
    /// Until when it is left alone.
    until: Millis,
}

impl Failing {
    /// What a further failure makes of it; `chance` is below 1000.
    fn again(before: Option<Self>, started: Millis, now: Millis, chance: u64) -> Self {
        let times = match before {
            Some(before) if started < before.at => return before,
            Some(before) => before.times.saturating_add(1),
            None => 1,
        };
        let pause = FIRST_MS.saturating_mul(1 << (times - 1).min(20)).min(LONGEST_MS);
        // Between 0.8 and 1.2 of the pause.
        let pause = pause * 4 / 5 + pause * 2 / 5 * chance / 1000;
        Self { times, at: now, until: now + pause }
    }
}

impl Backoff {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let failing = Cache::builder().max_capacity(CAPACITY).time_to_idle(Duration::from_secs(24 * 60 * 60)).build();
        Self { clock, failing }
    }

    /// Until when a server is left alone, in milliseconds since the epoch.
    #[must_use]
    pub fn until(&self, server: &ServerName) -> Option<Millis> {
        self.failing.get(server).map(|failing| failing.until).filter(|until| *until > self.clock.now())
    }

    /// Whether a server may be asked.
    ///
    /// # Errors
    /// [`CallError::BackingOff`].
    pub fn check(&self, server: &ServerName) -> Result<(), CallError> {
        self.until(server).map_or(Ok(()), |until| Err(CallError::BackingOff { until }))
    }

    pub(super) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Remembers that a request, begun at `started`, failed.
    pub(super) fn failed(&self, server: &ServerName, started: Millis) {
        let now = self.clock.now();
        let chance = u64::from(u16::from_le_bytes(base::random::bytes())) % 1000;
        self.failing.entry(server.to_owned()).and_compute_with(|before| {
            Op::Put(Failing::again(before.map(|entry| entry.into_value()), started, now, chance))
        });
    }

    /// Forgets the failures of a server.
    pub fn succeeded(&self, server: &ServerName) {
        if self.failing.contains_key(server) {
            self.failing.invalidate(server);
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let mut failing = None;
        let mut pauses = Vec::new();
        for step in 0..40 {
            let now = step * 2 * LONGEST_MS;
            let next = Failing::again(failing, now, now, 500);
            pauses.push((next.until - now) / 1000);
            failing = Some(next);
        }
        assert_eq!(pauses[..10], [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
        assert!(pauses[10..].iter().all(|pause| *pause == 3600));
    }

    #[test]
    fn requests_that_fail_together_are_one_failure() {
        let first = Failing::again(None, 0, 5, 500);
        assert_eq!(Failing::again(Some(first), 1, 6, 500), first);
        assert_eq!(Failing::again(Some(first), 5, 7, 500).times, 2);
    }

    #[test]
    fn a_failing_server_is_left_alone_for_a_while() {
        let clock = Clock::fixed(0);
        let backoff = Backoff::new(clock.clone());
        let server = server_name!("example.org");
        backoff.failed(server, 0);
        let until = backoff.until(server).unwrap();
        assert!((8_000..=12_000).contains(&until));
        assert_eq!(backoff.check(server), Err(CallError::BackingOff { until }));
        clock.advance(until);
        assert_eq!(backoff.check(server), Ok(()));
    }
}
