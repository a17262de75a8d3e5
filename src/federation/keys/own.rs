use std::sync::Arc;

use base::Millis;
use event::Signer;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedServerSigningKeyId, ServerName, serde::Base64};

use super::{KeyRow, PublicKey};

/// For how long others may take our keys as they are, in milliseconds: a day.
const VALID_FOR: Millis = 24 * 60 * 60 * 1000;

/// A key that we signed with once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldKey {
    /// Its name, like `ed25519:a1`.
    pub key_id: OwnedServerSigningKeyId,
    /// The public half; the other one is not needed any more.
    pub public: PublicKey,
    /// When we stopped, in milliseconds since the epoch.
    pub expired_ts: Millis,
}

/// The key that we sign with and those that we signed with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OwnKeys {
    signer: Arc<Signer>,
    old: Arc<[OldKey]>,
}

impl OwnKeys {
    /// What the key file holds.
    #[must_use]
    pub fn new(signer: Arc<Signer>, old: Vec<OldKey>) -> Self {
        Self { signer, old: old.into() }
    }

    /// Our name.
    #[must_use]
    pub fn server_name(&self) -> &ServerName {
        self.signer.server_name()
    }

    /// What signs.
    #[must_use]
    pub fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// The signed answer to `GET /_matrix/key/v2/server`, as JSON.
    #[must_use]
    pub fn document(&self, now: Millis) -> CanonicalJsonObject {
        let key =
            |public: &PublicKey| ("key".to_owned(), text(&Base64::<ruma::serde::base64::Standard, _>::new(public)));
        let current = (self.signer.key_id().to_string(), object([key(&self.signer.public_key())]));
        let old = self.old.iter().map(|old| {
            let fields = [key(&old.public), ("expired_ts".to_owned(), integer(old.expired_ts))];
            (old.key_id.to_string(), object(fields))
        });
        let mut document = CanonicalJsonObject::from([
            ("server_name".to_owned(), text(&self.server_name())),
            ("valid_until_ts".to_owned(), integer(now.saturating_add(VALID_FOR))),
            ("verify_keys".to_owned(), object([current])),
            ("old_verify_keys".to_owned(), object(old)),
        ]);
        if let Err(error) = self.signer.sign_json(&mut document) {
            tracing::error!(%error, "own keys cannot be signed");
        }
        document
    }

    /// Our keys as if they had been fetched.
    pub(super) fn rows(&self, now: Millis) -> impl Iterator<Item = (OwnedServerSigningKeyId, KeyRow)> + '_ {
        let row = move |public, expired| KeyRow {
            public,
            valid_until: now.saturating_add(VALID_FOR),
            expired,
            fetched: now,
            direct: true,
            document: [0; 32],
        };
        let current = (self.signer.key_id().clone(), row(self.signer.public_key(), None));
        let old = self.old.iter().map(move |old| (old.key_id.clone(), row(old.public, Some(old.expired_ts))));
        std::iter::once(current).chain(old)
    }
}

fn object(fields: impl IntoIterator<Item = (String, CanonicalJsonValue)>) -> CanonicalJsonValue {
    CanonicalJsonValue::Object(fields.into_iter().collect())
}

fn text(value: &impl ToString) -> CanonicalJsonValue {
    CanonicalJsonValue::String(value.to_string())
}

/// Times fit canonical JSON for the next 285,000 years.
fn integer(value: Millis) -> CanonicalJsonValue {
    let value = i64::try_from(value).ok().and_then(|value| ruma::Int::try_from(value).ok());
    CanonicalJsonValue::Integer(value.unwrap_or(ruma::Int::MAX))
}
