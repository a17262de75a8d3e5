//! Wall-clock time as an argument, so that tests can turn it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// Tells the time. Cheap to clone; all clones of a [`Clock::fixed`] clock move together.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `now` until [`Clock::advance`] moves it.
    pub fn fixed(now: Millis) -> Self {
        Self(Some(Arc::new(AtomicU64::new(now))))
    }

    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> Millis {
        match &self.0 {
            Some(fixed) => fixed.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |passed| u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Moves a fixed clock forward by `by` milliseconds; the machine's clock stays as it is.
    pub fn advance(&self, by: Millis) {
        if let Some(fixed) = &self.0 {
            fixed.fetch_add(by, Ordering::Relaxed);
        }
    }
}
