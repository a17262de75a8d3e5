//! Registration by programs that know `[registration] shared_secret`, as Synapse's admin API has it.

use hmac::{Hmac, KeyInit, Mac};
use kv::Read;
use sha1::Sha1;

use crate::{AccountError, Accounts, Issued, NewAccount, NewDevice, Permit, Result, signed, tables::NONCES};

/// How long a nonce may be used.
const NONCE_LIVES_MS: u64 = 60_000;
const PURPOSE: &str = "shared-secret registration";

/// A request to register with the shared secret.
#[derive(Clone)]
pub struct SharedSecretRequest {
    /// From [`Accounts::registration_nonce`].
    pub nonce: String,
    /// The wanted localpart.
    pub username: String,
    /// The password.
    pub password: String,
    /// The account may administrate the server.
    pub admin: bool,
    /// Part of the proof, without meaning here.
    pub user_type: Option<String>,
    /// HMAC-SHA1 of the above in hex.
    pub mac: String,
}

impl Accounts {
    /// A nonce for one registration with the shared secret, valid for a minute.
    ///
    /// # Errors
    /// [`AccountError::RegistrationClosed`] when there is no shared secret.
    pub fn registration_nonce(&self) -> Result<String> {
        self.config.registration.shared_secret.as_ref().ok_or(AccountError::RegistrationClosed)?;
        Ok(signed::make(&self.secret, PURPOSE, self.clock.now()))
    }

    /// Creates an account and its first session for who knows the shared secret, in every registration mode.
    ///
    /// # Errors
    /// [`AccountError::RegistrationClosed`], [`AccountError::BadMac`], and those of [`Accounts::register`].
    pub async fn register_by_secret(&self, req: &SharedSecretRequest) -> Result<Issued> {
        let secret = self.config.registration.shared_secret.as_ref().ok_or(AccountError::RegistrationClosed)?;
        let now = self.clock.now();
        let expires =
            signed::expires(&self.secret, PURPOSE, &req.nonce, now, NONCE_LIVES_MS).ok_or(AccountError::BadMac)?;
        self.use_nonce(&req.nonce, expires).await?;
        if !is_right(secret, req) {
            return Err(AccountError::BadMac);
        }
        let new = NewAccount {
            name: Some(req.username.clone()),
            phc: Some(self.hash_password(&req.password).await?),
            permit: Permit::Operator { admin: req.admin },
            device: Some(NewDevice::default()),
        };
        self.register(&new).await?.1.ok_or(AccountError::UnknownDevice)
    }

    async fn use_nonce(&self, nonce: &str, expires: u64) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if tx.has(&NONCES, nonce).await? {
                return Err(AccountError::BadMac);
            }
            tx.put(&NONCES, nonce, &expires);
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}

fn is_right(secret: &str, req: &SharedSecretRequest) -> bool {
    unhex(&req.mac).is_some_and(|given| mac(secret, req).is_some_and(|mac| mac.verify_slice(&given).is_ok()))
}

fn mac(secret: &str, req: &SharedSecretRequest) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).ok()?;
    let admin = if req.admin { "admin" } else { "notadmin" };
    let mut parts = vec![req.nonce.as_str(), &req.username, &req.password, admin];
    parts.extend(req.user_type.as_deref());
    mac.update(parts.join("\0").as_bytes());
    Some(mac)
}

/// The proof that a client sends.
#[cfg(test)]
pub(crate) fn proof(secret: &str, req: &SharedSecretRequest) -> String {
    mac(secret, req).unwrap().finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |c: u8| char::from(c).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_an_hmac_over_the_parts_and_nulls() {
        // printf 'n\0alice\0pw\0notadmin' | openssl dgst -sha1 -hmac secret
        let mut req = SharedSecretRequest {
            nonce: "n".into(),
            username: "alice".into(),
            password: "pw".into(),
            admin: false,
            user_type: None,
            mac: "bed7b1c8bbb7b4e3701c0e2242bfeab2478b3713".into(),
        };
        assert!(is_right("secret", &req));
        assert!(!is_right("other", &req));
        req.admin = true;
        assert!(!is_right("secret", &req));
        req.mac = "zz".into();
        assert!(!is_right("secret", &req));
    }
}
