use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds of the buckets that durations are counted in.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// How often counted durations are folded into buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// The figures of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Collects what the process counts from now on; a process can do that once.
    pub fn install() -> Option<Self> {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS).ok()?;
        builder.install_recorder().ok().map(Self)
    }

    /// In Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the memory of counted durations bounded; never ends.
    pub(crate) async fn keep_small(&self) {
        let mut timer = tokio::time::interval(UPKEEP);
        loop {
            timer.tick().await;
            self.0.run_upkeep();
        }
    }
}
