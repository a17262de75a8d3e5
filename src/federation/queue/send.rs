//! Delivering to one destination: one transaction after the other, and what happens when one is not taken.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base::Millis;
use bytes::Bytes;
use kv::Tx;
use ruma::ServerName;
use serde::Deserialize;

use super::{
    Queue, QueueError,
    destination::{Destination, Stage},
    edu::Latest,
    post::Refused,
    tables::{CURSORS, EDUS, FAILING, Failing, IN_FLIGHT, InFlight, SINGLES},
    transaction::Transaction,
};

/// How many events, and how many other messages, a transaction has at most when nothing was refused.
pub(super) const FULL: usize = 100;
/// Transactions sent to one destination before others have their turn.
const TURN: usize = 20;
/// The pause after the first failure in milliseconds.
const FIRST_PAUSE: Millis = 1000;
/// The pause after the second one; it doubles from there.
const SECOND_PAUSE: Millis = 10_000;
/// The longest pause.
const LONGEST_PAUSE: Millis = 60 * 60 * 1000;
/// Results of events that are logged for one transaction.
const MAX_LOGGED: usize = 50;

/// What other servers answer to a transaction.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    pdus: BTreeMap<String, PduResult>,
}

#[derive(Deserialize)]
struct PduResult {
    error: Option<String>,
}

impl Queue {
    /// Sends what waits for a destination, for one turn that [`Destination::begin`] began.
    pub(super) async fn serve(&self, destination: &Arc<Destination>) {
        for _ in 0..TURN {
            match self.send_one(destination).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return self.failed(destination, &error).await,
            }
        }
        let again = {
            let mut state = destination.state.lock();
            let again = state.has_work();
            state.stage = if again { Stage::Ready } else { Stage::Idle };
            again
        };
        if again {
            self.make_ready(destination);
        }
    }

    /// Sends one transaction; answers whether there was one.
    async fn send_one(&self, destination: &Arc<Destination>) -> Result<bool, QueueError> {
        let Some(Transaction { row, latest }) = self.next_transaction(destination).await? else { return Ok(false) };
        match self.post.post(&destination.name, &row.id, row.body.clone()).await {
            Ok(answer) => {
                log_results(&destination.name, &row, &answer);
                metrics::counter!("hearth_federation_transactions_total", "result" => "accepted").increment(1);
                metrics::counter!("hearth_federation_sent_total", "kind" => "pdu").increment(row.pdus.into());
                metrics::counter!("hearth_federation_sent_total", "kind" => "edu").increment(row.messages.into());
                self.acknowledge(destination, &row).await?;
                Ok(true)
            }
            Err(Refused::Content(reason)) => self.refused(destination, row, latest, reason).await,
            Err(later) => {
                if !row.is_durable() {
                    destination.state.lock().latest.put_back(latest);
                }
                Err(QueueError::Refused(later))
            }
        }
    }

    /// Forgets a transaction that was taken. Not waited for: if this is lost, the same transaction is sent again,
    /// which the destination knows by its id.
    async fn acknowledge(&self, destination: &Arc<Destination>, row: &InFlight) -> Result<(), QueueError> {
        let failed = destination.state.lock().failing.is_some();
        if failed || row.is_durable() {
            kv::retry(|| async {
                let mut tx = self.db.begin().relaxed();
                clear(&mut tx, &destination.name, row);
                if failed {
                    tx.delete(&FAILING, &destination.name);
                }
                tx.commit().await
            })
            .await?;
        }
        let now = self.clock.now();
        let mut state = destination.state.lock();
        state.in_flight = false;
        state.failing = None;
        state.served = now;
        state.limit = state.limit.saturating_mul(2).min(FULL);
        if let Some(upto) = row.upto {
            state.acknowledge(upto);
        }
        Ok(())
    }

    /// A destination works but does not take a transaction. With several things in it they are sent one by one; a
    /// single one is given up, but only if the destination takes a transaction without it.
    async fn refused(
        &self,
        destination: &Arc<Destination>,
        row: InFlight,
        latest: Vec<super::edu::Waiting>,
        reason: String,
    ) -> Result<bool, QueueError> {
        metrics::counter!("hearth_federation_transactions_total", "result" => "refused").increment(1);
        if row.pdus + row.messages > 1 {
            tracing::info!(destination = %destination.name, %reason, "a transaction was refused; sending one by one");
            kv::retry(|| async {
                let mut tx = self.db.begin().relaxed();
                tx.delete(&IN_FLIGHT, &destination.name);
                tx.commit().await
            })
            .await?;
            let mut state = destination.state.lock();
            state.in_flight = false;
            state.limit = 1;
            state.start_over();
            state.latest.put_back(latest);
            return Ok(true);
        }
        let probe = base::random::alphanumeric(20);
        match self.post.post(&destination.name, &probe, self.empty()).await {
            Ok(_) => {
                tracing::warn!(
                    destination = %destination.name, %reason, pdus = row.pdus, upto = row.upto,
                    "gave up on something that the destination refuses"
                );
                metrics::counter!("hearth_federation_given_up_total").increment(1);
                self.acknowledge(destination, &row).await?;
                destination.state.lock().limit = 1;
                Ok(true)
            }
            Err(Refused::Content(reason)) => {
                Err(QueueError::Refused(Refused::Later { kind: "refuses_all", reason, wait: None }))
            }
            Err(later) => Err(QueueError::Refused(later)),
        }
    }

    /// Leaves a destination alone for a while.
    async fn failed(&self, destination: &Arc<Destination>, error: &QueueError) {
        let (kind, wait) = match error {
            QueueError::Refused(Refused::Later { kind, wait, .. }) => (*kind, *wait),
            _ => ("storage", None),
        };
        metrics::counter!("hearth_federation_transactions_total", "result" => "failed").increment(1);
        metrics::counter!("hearth_federation_failures_total", "kind" => kind).increment(1);
        let before = destination.state.lock().failing;
        let failing = again(before, self.clock.now(), wait, jitter());
        tracing::debug!(destination = %destination.name, %error, times = failing.times, "not delivered");
        let stored = kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            tx.put(&FAILING, &destination.name, &failing);
            tx.commit().await
        })
        .await;
        if let Err(error) = stored {
            tracing::warn!(%error, destination = %destination.name, "the pause of a destination was not stored");
        }
        {
            let mut state = destination.state.lock();
            state.failing = Some(failing);
            if state.is_given_up() {
                state.latest = Latest::default();
            }
            state.start_over();
            state.stage = Stage::Idle;
        }
        self.timers.lock().insert((failing.again, destination.name.clone()));
        if let Err(error) = self.trim(destination).await {
            tracing::warn!(%error, destination = %destination.name, "messages were not looked through");
        }
    }
}

/// Removes the rows that a transaction consists of and moves the cursor.
fn clear(tx: &mut Tx, destination: &ServerName, row: &InFlight) {
    tx.delete(&IN_FLIGHT, destination);
    if let Some(upto) = row.upto {
        tx.put(&CURSORS, destination, &upto);
    }
    for stamp in &row.edus {
        tx.delete(&EDUS, (destination, *stamp));
    }
    for number in &row.singles {
        tx.delete(&SINGLES, (destination, *number));
    }
}

/// The pause after one more failure. `jitter` is below 1000.
pub(super) fn again(before: Option<Failing>, now: Millis, wait: Option<Duration>, jitter: u64) -> Failing {
    let times = before.map_or(0, |before| before.times).saturating_add(1);
    let pause = match times {
        1 => FIRST_PAUSE,
        _ => SECOND_PAUSE.saturating_mul(1 << (times - 2).min(20)).min(LONGEST_PAUSE),
    };
    // Between 0.8 and 1.2 of the pause.
    let pause = pause * 4 / 5 + pause * 2 / 5 * jitter / 1000;
    let wanted = wait.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(0)).min(LONGEST_PAUSE);
    Failing { times, since: before.map_or(now, |before| before.since), last: now, again: now + pause.max(wanted) }
}

fn jitter() -> u64 {
    u64::from(u16::from_le_bytes(base::random::bytes())) % 1000
}

/// Says which events of a transaction the destination did not take. That is final: it has judged them.
fn log_results(destination: &ServerName, row: &InFlight, answer: &Bytes) {
    let Ok(answer) = serde_json::from_slice::<Answer>(answer) else {
        tracing::debug!(%destination, id = %row.id, "the answer to a transaction is no JSON");
        return;
    };
    let rejected = answer.pdus.iter().filter_map(|(event, result)| Some((event, result.error.as_ref()?)));
    for (event, error) in rejected.take(MAX_LOGGED) {
        metrics::counter!("hearth_federation_events_rejected_total").increment(1);
        let error: String = error.chars().take(200).collect();
        tracing::info!(%destination, %event, %error, "an event was not accepted");
    }
}
