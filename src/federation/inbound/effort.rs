/// How much one transaction, or one request of a user, may make this server fetch.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Requests for missing events.
    pub gaps: u32,
    /// Requests for the state at an event.
    pub states: u32,
    /// Requests for single events.
    pub events: u32,
    /// Whether it may still wait for what others fetch.
    pub patient: bool,
}

impl Default for Effort {
    fn default() -> Self {
        Self { gaps: 20, states: 10, events: 500, patient: true }
    }
}

impl Effort {
    /// Takes one of `left`; `false` when there is none.
    pub(super) fn take(left: &mut u32) -> bool {
        let had = *left > 0;
        *left = left.saturating_sub(1);
        had
    }
}
