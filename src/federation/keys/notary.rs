use std::collections::BTreeSet;

use base::Millis;
use ruma::{CanonicalJsonObject, OwnedServerName};

use super::{KeyError, Rows, ServerKeys, Wanted};

/// Servers that can be asked about at once.
pub const MAX_QUERIED: usize = 100;

impl ServerKeys {
    /// What we vouch for as a notary: the documents that hold the wanted keys, each with our signature added. What is
    /// not known, or not for long enough, is fetched as for ourselves, with the same pauses; servers that cannot be
    /// reached are left out, or answered with what was known of them.
    ///
    /// Of more than [`MAX_QUERIED`] servers the rest is left out.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn notarised(&self, mut wanted: Wanted) -> Result<Vec<CanonicalJsonObject>, KeyError> {
        while wanted.len() > MAX_QUERIED {
            wanted.pop_last();
        }
        let missing = self.missing(&wanted).await?;
        if !missing.is_empty() {
            self.hunt(missing, false).await?;
        }
        let now = self.0.clock.now();
        let mut documents = Vec::new();
        for (server, keys) in &wanted {
            if self.is_own(server) {
                documents.push(self.0.own.document(now));
                continue;
            }
            let rows = self.rows(server).await?;
            for row in self.0.documents(server, listing(&rows, keys.keys())).await? {
                documents.extend(self.countersigned(server, &row.json));
            }
        }
        Ok(documents)
    }

    /// As [`ServerKeys::notarised`], for all keys of one server that it uses, valid until `until` (milliseconds since
    /// the epoch).
    ///
    /// # Errors
    /// When storage fails.
    pub async fn notarised_of(
        &self,
        server: OwnedServerName,
        until: Millis,
    ) -> Result<Vec<CanonicalJsonObject>, KeyError> {
        let rows = self.rows(&server).await?;
        let used = rows.iter().filter(|(_, row)| row.expired.is_none());
        let used = used.map(|(id, _)| (id.clone(), until)).collect();
        self.notarised(Wanted::from([(server, used)])).await
    }

    fn countersigned(&self, server: &OwnedServerName, json: &str) -> Option<CanonicalJsonObject> {
        let mut document: CanonicalJsonObject = serde_json::from_str(json).ok()?;
        match self.0.own.signer().sign_json(&mut document) {
            Ok(()) => Some(document),
            Err(error) => {
                tracing::warn!(%error, %server, "a stored key document cannot be signed");
                None
            }
        }
    }
}

/// The documents that the wanted keys are in; of all keys if none is named.
fn listing<'a>(
    rows: &Rows,
    keys: impl ExactSizeIterator<Item = &'a ruma::OwnedServerSigningKeyId>,
) -> BTreeSet<[u8; 32]> {
    if keys.len() == 0 {
        return rows.values().map(|row| row.document).collect();
    }
    keys.filter_map(|id| rows.get(id)).map(|row| row.document).collect()
}
