//! What operators see of the queue in numbers.

use super::{Queue, destination::Stage};

impl Queue {
    /// Counts what waits.
    pub(super) fn show_figures(&self) {
        let (mut failing, mut waiting, mut sending) = (0_u64, 0_u64, 0_u64);
        let (mut events, mut messages, mut lag) = (0_usize, 0_usize, 0_u64);
        let walked = self.walked();
        for destination in self.destinations.all() {
            let state = destination.state.lock();
            failing += u64::from(state.failing.is_some());
            waiting += u64::from(state.has_work());
            sending += u64::from(state.stage == Stage::Sending);
            events += state.queued();
            messages += state.latest.len();
            // Those that fail are behind as long as they fail; that says nothing of how we do.
            if state.failing.is_none() && state.has_work() && state.acked > 0 {
                lag = lag.max(walked.saturating_sub(state.acked));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        for (name, value) in [("failing", failing), ("waiting", waiting), ("sending", sending)] {
            metrics::gauge!("hearth_federation_destinations", "state" => name).set(value as f64);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        for (kind, value) in [("pdu", events), ("edu", messages)] {
            metrics::gauge!("hearth_federation_queued", "kind" => kind).set(value as f64);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("hearth_federation_lag_events").set(lag as f64);
    }
}
