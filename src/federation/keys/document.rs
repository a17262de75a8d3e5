use std::collections::BTreeMap;

use base::Millis;
use event::verify::verify_bytes;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedServerName, OwnedServerSigningKeyId, ServerName, serde::Base64,
    signatures::to_canonical_json_string_for_signing,
};

use super::PublicKey;

/// Largest document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 32 * 1024;
/// Most keys, old ones included, that a server can publish at once or have kept.
pub const MAX_KEYS: usize = 64;
/// Longest name of a key, in bytes.
const MAX_KEY_ID_BYTES: usize = 255;

/// What a server publishes about its keys, with a good signature of its own. Server-server API, "Publishing Keys".
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Whose keys these are.
    pub server: OwnedServerName,
    /// Keys in use.
    pub keys: BTreeMap<OwnedServerSigningKeyId, PublicKey>,
    /// Keys no longer in use, with the time of their end.
    pub old: BTreeMap<OwnedServerSigningKeyId, (PublicKey, Millis)>,
    /// Until when the server says that this holds.
    pub valid_until: Millis,
    /// All of it.
    pub object: CanonicalJsonObject,
}

/// Why a document is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is larger than [`MAX_DOCUMENT_BYTES`] or has more than [`MAX_KEYS`] keys.
    #[error("the key document is too large")]
    TooLarge,
    /// It is no canonical JSON object.
    #[error("the key document is not canonical JSON")]
    NotJson,
    /// Something is missing or of the wrong kind.
    #[error("`{0}` of the key document is missing or malformed")]
    Field(&'static str),
    /// It is about another server.
    #[error("the key document is that of {0}")]
    OtherServer(String),
    /// No key that it lists has signed it.
    #[error("the key document is not signed by its own keys")]
    Unsigned,
    /// A key that it lists has not made the signature.
    #[error("the key document has a wrong signature")]
    WrongSignature,
}

impl Document {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn read(json: &[u8]) -> Result<Self, DocumentError> {
        if json.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let object: CanonicalJsonObject = serde_json::from_slice(json).map_err(|_| DocumentError::NotJson)?;
        let server = object.get("server_name").and_then(CanonicalJsonValue::as_str);
        let server = server.and_then(|name| OwnedServerName::try_from(name).ok());
        let server = server.ok_or(DocumentError::Field("server_name"))?;
        let valid_until = time(&object, "valid_until_ts").ok_or(DocumentError::Field("valid_until_ts"))?;
        let listed = entries(&object, "verify_keys").ok_or(DocumentError::Field("verify_keys"))?;
        // Old servers leave the old keys out when there are none.
        let listed_old = entries(&object, "old_verify_keys").unwrap_or_default();
        if listed.len() + listed_old.len() > MAX_KEYS {
            return Err(DocumentError::TooLarge);
        }
        let keys: BTreeMap<_, _> = listed.into_iter().filter_map(|(id, key)| Some((id, public(key)?))).collect();
        let old = listed_old.into_iter().filter(|(id, _)| !keys.contains_key(id));
        let old = old.filter_map(|(id, key)| Some((id, (public(key)?, time(key, "expired_ts")?)))).collect();
        let document = Self { server, keys, old, valid_until, object };
        document.check_own_signature()?;
        Ok(document)
    }

    /// As [`Document::read`] of a document that has to be that of `server`.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn of(server: &ServerName, json: &[u8]) -> Result<Self, DocumentError> {
        let document = Self::read(json)?;
        if document.server != server {
            return Err(DocumentError::OtherServer(document.server.into()));
        }
        Ok(document)
    }

    /// Whether `server` has signed it with one of `keys`.
    #[must_use]
    pub fn is_signed_by(&self, server: &ServerName, keys: &BTreeMap<OwnedServerSigningKeyId, PublicKey>) -> bool {
        matches!(self.signed(server, keys), Ok(true))
    }

    fn check_own_signature(&self) -> Result<(), DocumentError> {
        if self.signed(&self.server, &self.keys)? { Ok(()) } else { Err(DocumentError::Unsigned) }
    }

    /// Whether one of `keys` has signed; a wrong signature by one of them is an error.
    fn signed(
        &self,
        server: &ServerName,
        keys: &BTreeMap<OwnedServerSigningKeyId, PublicKey>,
    ) -> Result<bool, DocumentError> {
        let message = to_canonical_json_string_for_signing(&self.object).map_err(|_| DocumentError::NotJson)?;
        let signatures = self.object.get("signatures").and_then(CanonicalJsonValue::as_object);
        let signatures = signatures.and_then(|all| all.get(server.as_str())?.as_object());
        let mut signed = false;
        for (id, public) in keys {
            let signature = signatures.and_then(|signatures| signatures.get(id.as_str())?.as_str());
            let Some(signature) = signature else { continue };
            if !verify_bytes(public, signature, message.as_bytes()) {
                return Err(DocumentError::WrongSignature);
            }
            signed = true;
        }
        Ok(signed)
    }
}

/// The entries of an object that are about ed25519 keys.
fn entries<'a>(
    object: &'a CanonicalJsonObject,
    field: &str,
) -> Option<Vec<(OwnedServerSigningKeyId, &'a CanonicalJsonObject)>> {
    let entries = object.get(field)?.as_object()?.iter();
    let entries = entries.filter(|(id, _)| id.starts_with("ed25519:") && id.len() <= MAX_KEY_ID_BYTES);
    Some(entries.filter_map(|(id, key)| Some((id.as_str().try_into().ok()?, key.as_object()?))).collect())
}

fn public(key: &CanonicalJsonObject) -> Option<PublicKey> {
    let bytes: Base64 = Base64::parse(key.get("key")?.as_str()?).ok()?;
    bytes.as_bytes().try_into().ok()
}

fn time(object: &CanonicalJsonObject, field: &str) -> Option<Millis> {
    let CanonicalJsonValue::Integer(time) = object.get(field)? else { return None };
    u64::try_from(i64::from(*time)).ok()
}
