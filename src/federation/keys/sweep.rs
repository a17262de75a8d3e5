//! Keys of servers that have nothing to do with us are kept for so many of them.

use std::collections::HashSet;

use base::Millis;
use kv::Read;
use ruma::OwnedServerName;

use super::{KeyError, ServerKeys};
use crate::tables::{DOCUMENTS, KEYS};

/// Servers that are in no room of ours whose keys are kept. Anybody can make up names of servers, with keys for each.
pub const MAX_STRANGERS: usize = 10_000;
/// Servers whose keys are removed in one transaction.
const BATCH: usize = 200;

impl ServerKeys {
    /// Forgets the keys of servers that are not among `known`, those fetched longest ago first, when they are more
    /// than [`MAX_STRANGERS`]. They can be fetched again, from notaries if need be. Answers how many servers that were.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn sweep(&self, known: &HashSet<OwnedServerName>) -> Result<usize, KeyError> {
        self.sweep_to(MAX_STRANGERS, known).await
    }

    pub(super) async fn sweep_to(&self, most: usize, known: &HashSet<OwnedServerName>) -> Result<usize, KeyError> {
        let mut servers = self.fetched(known).await?;
        if servers.len() <= most {
            return Ok(0);
        }
        servers.sort_unstable();
        // Some more, so that the next one does not find one too many at once.
        let gone = servers.len() - most / 10 * 9;
        for part in servers.get(..gone).unwrap_or_default().chunks(BATCH) {
            kv::retry(|| async {
                let mut tx = self.0.db.begin().relaxed();
                for (_, server) in part {
                    tx.clear(&KEYS, &(server,));
                    tx.clear(&DOCUMENTS, &(server,));
                }
                tx.commit().await
            })
            .await?;
            part.iter().for_each(|(_, server)| self.0.cache.invalidate(server));
        }
        tracing::info!(servers = gone, "forgot the keys of servers that are in no room of ours");
        Ok(gone)
    }

    /// The servers with keys that are not `known`, and when these were last fetched.
    async fn fetched(&self, known: &HashSet<OwnedServerName>) -> Result<Vec<(Millis, OwnedServerName)>, KeyError> {
        let view = self.0.db.view();
        let mut rows = view.scan(&KEYS, KEYS.all());
        let mut all: Vec<(Millis, OwnedServerName)> = Vec::new();
        while let Some(((server, _), row)) = rows.next().await? {
            match all.last_mut().filter(|(_, last)| *last == server) {
                Some((fetched, _)) => *fetched = (*fetched).max(row.fetched),
                None if known.contains(&server) => {}
                None => all.push((row.fetched, server)),
            }
        }
        Ok(all)
    }
}
