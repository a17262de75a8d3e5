//! Signing with the server's ed25519 key.

use std::fmt;

use base64::Engine as _;
use ed25519_dalek::{Signer as _, SigningKey};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedServerName, OwnedServerSigningKeyId};

use crate::{
    canonical::JsonError,
    hash::{LENIENT, base64},
};

/// A server's name and its signing key.
#[derive(Clone)]
pub struct Signer {
    server_name: OwnedServerName,
    key_id: OwnedServerSigningKeyId,
    key: SigningKey,
}

impl Signer {
    /// Makes the key from its 32 secret bytes. `key_id` is like `ed25519:a1`.
    #[must_use]
    pub fn new(server_name: OwnedServerName, key_id: OwnedServerSigningKeyId, seed: &[u8; 32]) -> Self {
        Self { server_name, key_id, key: SigningKey::from_bytes(seed) }
    }

    /// As [`Signer::new`], of a seed in base64, the form in which key files have it. `None` when
    /// that is not 32 bytes.
    #[must_use]
    pub fn from_base64(server_name: OwnedServerName, key_id: OwnedServerSigningKeyId, seed: &str) -> Option<Self> {
        let seed: [u8; 32] = LENIENT.decode(seed).ok()?.try_into().ok()?;
        Some(Self::new(server_name, key_id, &seed))
    }

    /// The server that signs.
    #[must_use]
    pub fn server_name(&self) -> &OwnedServerName {
        &self.server_name
    }

    /// The id of the key, algorithm included.
    #[must_use]
    pub fn key_id(&self) -> &OwnedServerSigningKeyId {
        &self.key_id
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The public key in unpadded base64, as `/key/v2/server` publishes it.
    #[must_use]
    pub fn public_key_base64(&self) -> String {
        base64(&self.public_key())
    }

    /// The signature of `message` in unpadded base64.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        base64(&self.key.sign(message).to_bytes())
    }

    /// Adds this server's signature to a JSON object: over its canonical form without `signatures`
    /// and `unsigned`, which both stay in place.
    ///
    /// # Errors
    /// [`JsonError::NotObject`] when `signatures`, or what it has for this server, is no object.
    pub fn sign_json(&self, object: &mut CanonicalJsonObject) -> Result<(), JsonError> {
        let message =
            ruma::signatures::to_canonical_json_string_for_signing(object).map_err(|_| JsonError::NotObject)?;
        let signature = self.sign(message.as_bytes());
        let ours = entry(object, "signatures").and_then(|all| entry(all, self.server_name.as_str()));
        ours.ok_or(JsonError::NotObject)?.insert(self.key_id.to_string(), CanonicalJsonValue::String(signature));
        Ok(())
    }
}

/// The object under a key, made when missing; `None` when something else is there.
fn entry<'a>(object: &'a mut CanonicalJsonObject, key: &str) -> Option<&'a mut CanonicalJsonObject> {
    object
        .entry(key.to_owned())
        .or_insert_with(|| CanonicalJsonValue::Object(CanonicalJsonObject::new()))
        .as_object_mut()
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("server_name", &self.server_name).field("key_id", &self.key_id).finish()
    }
}
