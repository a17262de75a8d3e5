//! Signatures that users add to keys. Client-server API, `POST /keys/signatures/upload`.

use kv::{Read, Tx};
use ruma::{CanonicalJsonObject, OwnedDeviceId, UserId};

use crate::{
    CrossSigning, E2eeError, Keys, Result, changes, cross_signing, json,
    tables::{CROSS_SIGNING, DEVICE_KEYS, SIGNATURES},
};

/// Why a signature is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such device or key.
    #[error("there is no such key")]
    UnknownKey,
    /// The signed object is not the stored key.
    #[error("what is signed is not the key that is stored")]
    OtherKey,
    /// No signature of the sender, or a wrong one, or one by a key that does not sign such keys.
    #[error("the signature is wrong, missing or not by the right key")]
    BadSignature,
}

impl Keys {
    /// Adds the signatures of `signer` on one key: `target` is a device id or a public key of `user`.
    ///
    /// # Errors
    /// When storage fails; why the signature is not taken is the inner result.
    pub async fn add_signatures(
        &self,
        signer: &UserId,
        user: &UserId,
        target: &str,
        signed: &CanonicalJsonObject,
    ) -> Result<Result<(), Failure>> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let Some((stored, is_device)) = find(&tx, user, target).await? else {
                return Ok(Err(Failure::UnknownKey));
            };
            if json::signed_part(&stored) != json::signed_part(signed) {
                return Ok(Err(Failure::OtherKey));
            }
            let (mut good, mut is_new) = (false, false);
            for (key, signature) in json::signatures_of(signed, signer.as_str()) {
                if json::signatures_of(&stored, signer.as_str()).any(|old| old == (key, signature)) {
                    good = true;
                    continue;
                }
                let Some(public) = signing_key(&tx, signer, user, key, is_device).await? else { continue };
                if !json::is_signed(&stored, &public, signature) {
                    return Ok(Err(Failure::BadSignature));
                }
                good = true;
                let row = (user, target, signer, key);
                if tx.get(&SIGNATURES, row).await?.as_deref() != Some(signature) {
                    tx.put(&SIGNATURES, row, &signature.to_owned());
                    is_new = true;
                }
            }
            if !good {
                return Ok(Err(Failure::BadSignature));
            }
            // Clients upload the same again; that is no news to anybody.
            match (is_new, user == signer) {
                (false, _) => {}
                (true, true) => changes::mark(&mut tx, user).await?,
                (true, false) => changes::mark_own(&mut tx, signer, user).await?,
            }
            tx.commit().await?;
            Ok::<_, E2eeError>(Ok(()))
        })
        .await
    }
}

/// The stored key, and whether it is one of a device.
async fn find(tx: &Tx, user: &UserId, target: &str) -> kv::Result<Option<(CanonicalJsonObject, bool)>> {
    let device = OwnedDeviceId::from(target);
    if let Some(text) = tx.get(&DEVICE_KEYS, (user, &device)).await? {
        return Ok(Some((json::object(&text), true)));
    }
    let master = tx.get(&CROSS_SIGNING, (user, CrossSigning::Master.code())).await?;
    let master = master.map(|text| json::object(&text));
    Ok(master.filter(|key| cross_signing::public(key).as_deref() == Some(target)).map(|key| (key, false)))
}

/// The public key `id` of `signer`, if it may sign such a key of `user`: the self-signing key signs own devices, a
/// device the own master key, the user-signing key those of others.
async fn signing_key(tx: &Tx, signer: &UserId, user: &UserId, id: &str, is_device: bool) -> kv::Result<Option<String>> {
    let Some(name) = id.strip_prefix("ed25519:") else { return Ok(None) };
    let kind = match (signer == user, is_device) {
        (true, true) => CrossSigning::SelfSigning,
        (false, false) => CrossSigning::UserSigning,
        (false, true) => return Ok(None),
        (true, false) => {
            let device = OwnedDeviceId::from(name);
            let keys = tx.get(&DEVICE_KEYS, (signer, &device)).await?.map(|text| json::object(&text));
            let key = keys.as_ref().and_then(|keys| json::string(json::member(keys, "keys")?, id));
            return Ok(key.map(str::to_owned));
        }
    };
    let key = tx.get(&CROSS_SIGNING, (signer, kind.code())).await?;
    let public = key.and_then(|text| cross_signing::public(&json::object(&text)));
    Ok(public.filter(|public| public == name))
}
