//! Delivering transactions, one after the other.

use std::{sync::Arc, time::Duration};

use super::{
    BROKEN, Outgoing,
    build::{Next, behind},
};
use crate::{
    Result,
    service::Service,
    tables::{CURSORS, Cursor, IN_FLIGHT, InFlight},
};

/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The pause after so many failures.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

impl Outgoing {
    /// Sends `service` what it has missed and what comes. Never ends.
    pub(super) async fn serve(self, service: Arc<Service>) {
        loop {
            if let Err(error) = self.try_serve(&service).await {
                let appservice = &service.registration.id;
                tracing::error!(appservice, %error, "an application service is not served; trying again");
            }
            tokio::time::sleep(BROKEN).await;
        }
    }

    async fn try_serve(&self, service: &Service) -> Result<()> {
        let (mut standing, in_flight) = self.standing(&service.registration).await?;
        if let Some(transaction) = in_flight {
            self.deliver(service, &transaction).await?;
            standing.upto = transaction.upto;
        }
        self.find_mail(service).await?;
        loop {
            match self.next(service, &mut standing).await? {
                Next::Send(transaction) => self.deliver(service, &transaction).await?,
                Next::More => {}
                Next::Nothing => service.news.notified().await,
            }
        }
    }

    /// Sends a transaction until it is acknowledged, and notes that.
    async fn deliver(&self, service: &Service, transaction: &InFlight) -> Result<()> {
        let appservice = &service.registration.id;
        let post = &self.appservices.post;
        loop {
            service.state.lock().tried = self.clock.now();
            let sent = post.transaction(&service.registration, &transaction.id, transaction.body.clone()).await;
            let outcome = if sent.is_ok() { "delivered" } else { "failed" };
            metrics::counter!("hearth_appservice_transactions_total", "appservice" => appservice.clone(), "outcome" => outcome)
                .increment(1);
            let Err(cause) = sent else { break };
            let failures = {
                let mut state = service.state.lock();
                state.failures = state.failures.saturating_add(1);
                state.failures
            };
            self.show_figures(service, transaction);
            let wait = pause(failures);
            if failures == 1 {
                tracing::warn!(appservice, %cause, "an application service does not take a transaction");
            } else {
                tracing::info!(appservice, %cause, failures, wait_s = wait.as_secs(), "an application service still fails");
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = service.retry.notified() => {}
            }
        }
        let failures = std::mem::take(&mut service.state.lock().failures);
        if failures > 0 {
            tracing::info!(appservice, failures, "an application service takes transactions again");
        }
        self.acknowledged(service, transaction).await?;
        self.show_figures(service, transaction);
        Ok(())
    }

    async fn acknowledged(&self, service: &Service, transaction: &InFlight) -> Result<()> {
        for (user, device, upto) in &transaction.mail {
            self.mailbox.acknowledge(user, device, upto).await?;
        }
        kv::retry(|| async {
            // Lost in a crash, the same transaction is sent again.
            let mut tx = self.appservices.db.begin().relaxed();
            tx.put(&CURSORS, &service.registration.id, &Cursor { upto: transaction.upto.clone() });
            tx.delete(&IN_FLIGHT, &service.registration.id);
            tx.commit().await
        })
        .await?;
        Ok(())
    }

    fn show_figures(&self, service: &Service, transaction: &InFlight) {
        let failing = service.fails();
        let now = self.appservices.db.positions();
        let behind = behind(&transaction.upto, &now);
        let id = || service.registration.id.clone();
        metrics::gauge!("hearth_appservice_failing", "appservice" => id()).set(if failing { 1.0 } else { 0.0 });
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("hearth_appservice_lag_positions", "appservice" => id()).set(behind as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let seconds: Vec<_> = [1, 2, 3, 9, 10, 33, u32::MAX].map(|failures| pause(failures).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300, 300]);
    }
}
