//! What is known of an application service while the process runs.

use std::collections::BTreeSet;

use base::Millis;
use parking_lot::Mutex;
use ruma::OwnedUserId;
use tokio::sync::Notify;

use crate::{Appservice, outgoing::Passing};

/// An application service is not tried sooner than this after the last time when it is heard from, in milliseconds.
const HEARD_PAUSE: Millis = 1000;

/// An application service with what waits for it.
#[derive(Debug)]
pub(crate) struct Service {
    pub registration: Appservice,
    /// There may be something to send.
    pub news: Notify,
    /// It should be tried again now.
    pub retry: Notify,
    pub state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Failures one after another.
    pub failures: u32,
    /// When it was tried last.
    pub tried: Millis,
    /// Typing, receipts and presence that it has not got.
    pub passing: Passing,
    /// Its users to whose devices there may be messages.
    pub mail: BTreeSet<OwnedUserId>,
}

impl Service {
    pub fn new(registration: Appservice) -> Self {
        Self { registration, news: Notify::new(), retry: Notify::new(), state: Mutex::default() }
    }

    /// Has it tried again if it fails: it is there, as it just asked something.
    pub fn heard(&self, now: Millis) {
        let state = self.state.lock();
        if state.failures > 0 && now.saturating_sub(state.tried) >= HEARD_PAUSE {
            self.retry.notify_one();
        }
    }

    pub fn fails(&self) -> bool {
        self.state.lock().failures > 0
    }
}
