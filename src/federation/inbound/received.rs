//! Transactions that were answered, so that one that is sent again gets the same answer, also after a restart.

use kv::Read;
use ruma::ServerName;
use serde::{Deserialize, Serialize};

use super::{Inbound, InboundError};
use crate::tables::RECEIVED;

/// How long answers are kept, in milliseconds: a day, longer than anybody waits for one.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// Rows removed at a time.
const SWEEP: usize = 1000;

/// The answer to a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedRow {
    /// When it was answered, in milliseconds since the epoch.
    pub at: u64,
    /// The JSON answer.
    pub answer: String,
}
kv::value!(ReceivedRow);

impl Inbound {
    /// The answer that a transaction got before.
    pub(super) async fn answered(&self, origin: &ServerName, txn_id: &str) -> Result<Option<String>, InboundError> {
        Ok(self.db.view().peek(&RECEIVED, (origin, txn_id)).await?.map(|row| row.answer))
    }

    /// Remembers the answer to a transaction.
    pub(super) async fn remember(&self, origin: &ServerName, txn_id: &str, answer: &str) -> Result<(), InboundError> {
        let row = ReceivedRow { at: self.clock.now(), answer: answer.to_owned() };
        let mut tx = self.db.begin().relaxed();
        tx.put(&RECEIVED, (origin, txn_id), &row);
        tx.submit().await?;
        Ok(())
    }

    /// Forgets old answers.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn sweep(&self) -> Result<(), InboundError> {
        let oldest = self.clock.now().saturating_sub(KEPT_MS);
        let view = self.db.view();
        let mut rows = view.scan(&RECEIVED, RECEIVED.all());
        let mut old = Vec::new();
        while let Some(((server, txn_id), row)) = rows.next().await? {
            if row.at < oldest {
                old.push((server, txn_id));
            }
        }
        for part in old.chunks(SWEEP) {
            let mut tx = self.db.begin().relaxed();
            for (server, txn_id) in part {
                tx.delete(&RECEIVED, (&**server, txn_id.as_str()));
            }
            tx.submit().await?;
        }
        Ok(())
    }
}
