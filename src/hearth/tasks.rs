//! Every background task, one line each.

use tokio::task::JoinSet;

use crate::{server::Metrics, wire::Wired};

/// Starts them; they end when the set is dropped.
pub(crate) fn start(_wired: &Wired, metrics: Option<&Metrics>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(metrics) = metrics.cloned() {
        tasks.spawn(async move { metrics.keep_small().await });
    }
    tasks
}
