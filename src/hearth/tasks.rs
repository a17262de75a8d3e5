//! Every background task, one line each.

use std::time::Duration;

use api::AppState;
use tokio::task::JoinSet;

use crate::{Config, server::Metrics, wire::Wired};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Starts them; they end when the set is dropped.
pub(crate) fn start(wired: &Wired, config: &Config, metrics: Option<&Metrics>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let state = &wired.state;
    if let Some(metrics) = metrics.cloned() {
        tasks.spawn(async move { metrics.keep_small().await });
    }
    let accounts = state.accounts.clone();
    tasks.spawn(every(10 * MINUTE, "account sweep", async move || accounts.sweep().await.map(drop)));
    let guard = wired.guard.clone();
    tasks.spawn(every(MINUTE, "restore guard", async move || guard.note().await));
    let mailbox = state.mailbox.clone();
    tasks.spawn(every(10 * MINUTE, "to-device sweep", async move || mailbox.sweep().await.map(drop)));
    let rooms = state.rooms.clone();
    tasks.spawn(every(DAY, "auth chain index", async move || rooms.index_old_rooms().await));
    let rooms = state.rooms.clone();
    tasks.spawn(every(60 * MINUTE, "sweep of transaction ids", async move || rooms.sweep_sent().await));
    let media = state.media.clone();
    tasks.spawn(every(5 * MINUTE, "media clean", async move || media.clean().await));
    let media = state.media.clone();
    tasks.spawn(every(10 * MINUTE, "media eviction", async move || media.evict().await.map(drop)));
    let media = state.media.clone();
    tasks.spawn(every(DAY, "media sweep", async move || media.sweep().await.map(drop)));
    let previews = state.previews.clone();
    tasks.spawn(every(DAY, "preview sweep", async move || previews.sweep().await));
    let inbound = state.inbound.clone();
    tasks.spawn(every(60 * MINUTE, "transaction sweep", async move || inbound.sweep().await));
    let typing = state.typing.clone();
    tasks.spawn(every(SECOND, "typing expiry", async move || typing.expire().await));
    let presence = state.presence.clone();
    tasks.spawn(every(SECOND, "presence expiry", async move || presence.expire().await));
    let appservices = wired.appservices.clone();
    tasks.spawn(every(DAY, "sweep for application services", async move || appservices.sweep().await));
    tasks.spawn(wired.appservices.clone().run());
    tasks.spawn(state.rooms.clone().run_delayed());
    tasks.spawn(state.search.clone().run());
    tasks.spawn(state.sync.clone().wake_late());
    if config.federation.enabled {
        tasks.spawn(state.outgoing.clone().run(state.federation_client.on_heard()));
        tasks.spawn(state.remote_devices.clone().run());
        tasks.spawn(outgoing_sources(state, config).run());
    }
    tasks
}

/// What local users do that other servers hear of, beside events.
fn outgoing_sources(state: &AppState, config: &Config) -> federation::queue::Sources {
    federation::queue::Sources {
        queue: state.outgoing.clone(),
        rooms: state.rooms.clone(),
        typing: state.typing.clone(),
        receipts: state.receipts.clone(),
        presence: state.presence.clone(),
        tell_presence: config.presence.enabled && config.presence.federate,
    }
}

/// Runs an idempotent task now and after each `period`; a failure is logged and tried again with the next run.
async fn every<E: std::fmt::Display>(period: Duration, name: &'static str, task: impl AsyncFn() -> Result<(), E>) {
    let mut timer = tokio::time::interval(period);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(error) = task().await {
            tracing::warn!(%error, name, "a task failed and will be run again");
        }
    }
}
