use std::{collections::HashMap, sync::Arc};

use base::Millis;
use kv::{Read, Tx};
use ruma::{OwnedServerName, OwnedServerSigningKeyId, ServerName};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Document, Inner, KeyRow, MAX_KEYS, Rows,
    merge::{merge, offers},
};
use crate::tables::{DOCUMENTS, KEYS};

/// A document as its server signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRow {
    /// When it was fetched, in milliseconds since the epoch.
    pub fetched: Millis,
    /// Canonical JSON.
    pub json: String,
}

impl Inner {
    /// What is known of the keys of a server, which is not ours.
    pub(super) async fn rows(&self, server: &ServerName) -> kv::Result<Rows> {
        if let Some(rows) = self.cache.get(server) {
            return Ok(rows);
        }
        let server = server.to_owned();
        let rows = rows_of(&self.db.view(), &server).await?;
        let rows: Rows = Arc::new(rows.into_iter().collect());
        // Names that nobody has keys of are not worth the place.
        if !rows.is_empty() {
            self.cache.insert(server, rows.clone());
        }
        Ok(rows)
    }

    /// Keeps what is new or better in a document.
    pub(super) async fn keep(&self, document: &Document, direct: bool) -> kv::Result<()> {
        let now = self.clock.now();
        let id = identity(document);
        let offers = offers(document, id, direct, now);
        let json = serde_json::to_string(&document.object).unwrap_or_default();
        let row = DocumentRow { fetched: now, json };
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut changed = false;
            for (key_id, offer) in &offers {
                let key = (document.server.clone(), key_id.to_string());
                let known = tx.get(&KEYS, (&document.server, key_id.as_str())).await?;
                if let Some(merged) = merge(known.as_ref(), offer.clone(), now) {
                    tx.put(&KEYS, key, &merged);
                    changed = true;
                }
            }
            if !changed {
                return Ok(());
            }
            tx.put(&DOCUMENTS, (document.server.clone(), id), &row);
            tidy(&mut tx, &document.server, document, now).await?;
            tx.commit().await
        })
        .await?;
        self.cache.invalidate(&document.server);
        Ok(())
    }

    /// The documents by their ids.
    pub(super) async fn documents(
        &self,
        server: &OwnedServerName,
        ids: impl IntoIterator<Item = [u8; 32]>,
    ) -> kv::Result<Vec<DocumentRow>> {
        let keys: Vec<_> = ids.into_iter().map(|id| (server.clone(), id)).collect();
        Ok(self.db.view().get_many(&DOCUMENTS, keys).await?.into_iter().flatten().collect())
    }
}

async fn rows_of(read: &impl Read, server: &OwnedServerName) -> kv::Result<Vec<(OwnedServerSigningKeyId, KeyRow)>> {
    let rows = read.scan(&KEYS, KEYS.under(&(server.clone(),))).collect().await?;
    Ok(rows.into_iter().filter_map(|((_, id), row)| Some((id.try_into().ok()?, row))).collect())
}

/// Which keys a document lists, however often it is signed anew.
fn identity(document: &Document) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (id, public) in &document.keys {
        hash.update(id.as_str());
        hash.update(public);
    }
    hash.update([0]);
    for (id, (public, end)) in &document.old {
        hash.update(id.as_str());
        hash.update(public);
        hash.update(end.to_be_bytes());
    }
    hash.finalize().into()
}

/// Drops the keys that are too many, those longest out of use first, and the documents that no key is in any more.
async fn tidy(tx: &mut Tx, server: &OwnedServerName, document: &Document, now: Millis) -> kv::Result<()> {
    let mut rows = rows_of(tx, server).await?;
    rows.sort_by_key(|(id, row)| {
        let listed = document.keys.contains_key(id) || document.old.contains_key(id);
        (listed, row.is_valid(now), row.expired.unwrap_or(row.valid_until))
    });
    for (id, _) in rows.drain(..rows.len().saturating_sub(MAX_KEYS)) {
        tx.delete(&KEYS, (server.clone(), id.to_string()));
    }
    let used: HashMap<_, _> = rows.iter().map(|(_, row)| (row.document, ())).collect();
    for ((_, id), _) in tx.scan(&DOCUMENTS, DOCUMENTS.under(&(server.clone(),))).collect().await? {
        if !used.contains_key(&id) {
            tx.delete(&DOCUMENTS, (server.clone(), id));
        }
    }
    Ok(())
}
