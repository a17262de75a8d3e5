use std::time::Duration;

use tokio::time::Instant;

/// For how long one transaction's part of a room, or one request of a user, may make this server fetch.
const LASTS: Duration = Duration::from_secs(120);

/// How much one transaction's part of a room, or one request of a user, may make this server fetch.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Requests for missing events.
    pub gaps: u32,
    /// Requests for the state at an event.
    pub states: u32,
    /// Requests for the auth chain of an event.
    pub chains: u32,
    /// Requests for single events.
    pub events: u32,
    /// Whether it may still wait for what others fetch.
    pub patient: bool,
    /// Nothing more is asked for after this.
    pub until: Instant,
}

impl Default for Effort {
    fn default() -> Self {
        let until = Instant::now() + LASTS;
        Self { gaps: 20, states: 10, chains: 20, events: 500, patient: true, until }
    }
}

impl Effort {
    /// One more request for missing events; `false` when there were enough, or it has taken too long.
    pub(super) fn gap(&mut self) -> bool {
        Self::take(self.until, &mut self.gaps)
    }

    /// As [`Effort::gap`], for the state at an event.
    pub(super) fn state(&mut self) -> bool {
        Self::take(self.until, &mut self.states)
    }

    /// As [`Effort::gap`], for an auth chain.
    pub(super) fn chain(&mut self) -> bool {
        Self::take(self.until, &mut self.chains)
    }

    /// As [`Effort::gap`], for a single event.
    pub(super) fn event(&mut self) -> bool {
        Self::take(self.until, &mut self.events)
    }

    fn take(until: Instant, left: &mut u32) -> bool {
        let had = *left > 0 && Instant::now() < until;
        *left = left.saturating_sub(1);
        had
    }
}
