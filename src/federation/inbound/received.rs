//! Transactions that were answered, so that one that is sent again gets the same answer, also after a restart.

use std::collections::HashSet;

use kv::Read;
use ruma::ServerName;
use serde::{Deserialize, Serialize};

use super::{Inbound, InboundError};
use crate::tables::ANSWERED;

/// How long answers are kept, in milliseconds: a day, longer than anybody waits for one.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// Answers that are kept for one server. It must not send the next transaction before the last one is answered.
pub(super) const KEPT: usize = 8;
/// Longest id of a transaction.
pub(super) const MAX_ID_BYTES: usize = 255;
/// Rows removed at a time.
const SWEEP: usize = 1000;

/// The last transactions of a server, newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredRow {
    /// When the last one was answered, in milliseconds since the epoch.
    pub at: u64,
    /// Their ids, with the JSON answers.
    pub answers: Vec<(String, String)>,
}
kv::value!(AnsweredRow);

impl Inbound {
    /// The answer that a transaction got before.
    pub(super) async fn answered(&self, origin: &ServerName, txn_id: &str) -> Result<Option<String>, InboundError> {
        let row = self.db.begin().peek(&ANSWERED, origin).await?.unwrap_or_default();
        Ok(row.answers.into_iter().find(|(id, _)| id == txn_id).map(|(_, answer)| answer))
    }

    /// Remembers the answer to a transaction; to be called in the server's turn.
    pub(super) async fn remember(&self, origin: &ServerName, txn_id: &str, answer: &str) -> Result<(), InboundError> {
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            let mut row = tx.get(&ANSWERED, origin).await?.unwrap_or_default();
            let gone = (row.answers.len() + 1).saturating_sub(KEPT);
            row.answers.drain(..gone);
            row.answers.push((txn_id.to_owned(), answer.to_owned()));
            row.at = now;
            tx.put(&ANSWERED, origin, &row);
            // Not waited for: what is in the transaction is on disk, and taken in again it is known.
            tx.submit().await.map(drop)
        })
        .await?;
        Ok(())
    }

    /// Forgets old answers, and keys of servers that have nothing to do with us when they are too many.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn sweep(&self) -> Result<(), InboundError> {
        let oldest = self.clock.now().saturating_sub(KEPT_MS);
        let view = self.db.view();
        let mut rows = view.scan(&ANSWERED, ANSWERED.all());
        let mut old = Vec::new();
        while let Some((server, row)) = rows.next().await? {
            if row.at < oldest {
                old.push(server);
            }
        }
        for part in old.chunks(SWEEP) {
            let mut tx = self.db.begin().relaxed();
            part.iter().for_each(|server| tx.delete(&ANSWERED, server));
            tx.submit().await?;
        }
        let known: HashSet<_> = self.rooms.known_servers(&view, None, usize::MAX).await?.into_iter().collect();
        self.checks.keys().sweep(&known).await?;
        Ok(())
    }
}
