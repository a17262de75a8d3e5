//! Cross-signing keys. Client-server API, "Cross-signing".

use account::tables::DEVICES;
use kv::{Read, Tx};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedDeviceId, UserId};

use crate::{
    E2eeError, Keys, Result, changes,
    device_keys::MAX_OWN_KEY_BYTES,
    json,
    tables::{CROSS_SIGNING, SIGNATURES},
};

/// What a cross-signing key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrossSigning {
    /// It stands for the user and signs the other two.
    Master,
    /// It signs the user's devices.
    SelfSigning,
    /// It signs master keys of other users.
    UserSigning,
}

impl CrossSigning {
    /// As it is stored.
    pub fn code(self) -> u8 {
        match self {
            Self::Master => 0,
            Self::SelfSigning => 1,
            Self::UserSigning => 2,
        }
    }

    /// What is stored under `code`.
    pub fn of(code: u8) -> Option<Self> {
        [Self::Master, Self::SelfSigning, Self::UserSigning].into_iter().find(|kind| kind.code() == code)
    }

    /// As it stands in the key.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::SelfSigning => "self_signing",
            Self::UserSigning => "user_signing",
        }
    }
}

/// Cross-signing keys that a user uploads.
#[derive(Debug, Clone, Default)]
pub struct CrossSigningUpload {
    /// The master key.
    pub master: Option<CanonicalJsonObject>,
    /// The self-signing key.
    pub self_signing: Option<CanonicalJsonObject>,
    /// The user-signing key.
    pub user_signing: Option<CanonicalJsonObject>,
}

impl CrossSigningUpload {
    fn iter(&self) -> impl Iterator<Item = (CrossSigning, &CanonicalJsonObject)> {
        let keys = [
            (CrossSigning::Master, &self.master),
            (CrossSigning::SelfSigning, &self.self_signing),
            (CrossSigning::UserSigning, &self.user_signing),
        ];
        keys.into_iter().filter_map(|(kind, key)| Some((kind, key.as_ref()?)))
    }
}

/// The public part of a cross-signing key, which has exactly one.
pub fn public(key: &CanonicalJsonObject) -> Option<String> {
    let keys = json::member(key, "keys")?;
    let (id, public) = keys.iter().next().filter(|_| keys.len() == 1)?;
    let public = public.as_str()?;
    (id.strip_prefix("ed25519:") == Some(public)).then(|| public.to_owned())
}

impl Keys {
    /// Stores cross-signing keys. Users who have a master key have to be `confirmed` to be themselves, unless they
    /// upload what is there already.
    ///
    /// # Errors
    /// [`E2eeError::NotConfirmed`], [`E2eeError::InvalidParam`], [`E2eeError::NoMasterKey`],
    /// [`E2eeError::IsDeviceId`], [`E2eeError::InvalidSignature`].
    pub async fn upload_cross_signing(
        &self,
        user: &UserId,
        upload: &CrossSigningUpload,
        confirmed: bool,
    ) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            // Here and not before: of two first uploads at the same time, one is the second.
            if !confirmed && needs_confirmation(&tx, user, upload).await? {
                return Err(E2eeError::NotConfirmed);
            }
            let stored = tx.get(&CROSS_SIGNING, (user, CrossSigning::Master.code())).await?;
            let stored = stored.map(|text| json::object(&text));
            let master = upload.master.as_ref().or(stored.as_ref()).and_then(public).ok_or(E2eeError::NoMasterKey)?;
            let mut changed = false;
            for (kind, key) in upload.iter() {
                check(user, kind, key, &master)?;
                changed |= put(&mut tx, user, kind, key).await?;
            }
            if changed {
                changes::mark(&mut tx, user).await?;
            }
            // What is there already may still be on its way to the disk.
            Ok(tx.commit().await?)
        })
        .await
    }
}

/// Whether an upload replaces keys of a user who has a master key.
async fn needs_confirmation(tx: &Tx, user: &UserId, upload: &CrossSigningUpload) -> Result<bool> {
    if !tx.has(&CROSS_SIGNING, (user, CrossSigning::Master.code())).await? {
        return Ok(false);
    }
    for (kind, key) in upload.iter() {
        let stored = tx.get(&CROSS_SIGNING, (user, kind.code())).await?;
        if stored.is_none_or(|stored| json::signed_part(&json::object(&stored)) != json::signed_part(key)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check(user: &UserId, kind: CrossSigning, key: &CanonicalJsonObject, master: &str) -> Result<()> {
    if json::string(key, "user_id") != Some(user.as_str()) {
        return Err(E2eeError::InvalidParam("a cross-signing key is not of the user who sends it"));
    }
    if json::text(key).len() > MAX_OWN_KEY_BYTES {
        return Err(E2eeError::InvalidParam("a cross-signing key is too large"));
    }
    let usage = key.get("usage").and_then(CanonicalJsonValue::as_array);
    if !usage.is_some_and(|usage| usage.iter().any(|usage| usage.as_str() == Some(kind.usage()))) {
        return Err(E2eeError::InvalidParam("the usage of a cross-signing key is not what it is sent as"));
    }
    let public = public(key).ok_or(E2eeError::InvalidParam("a cross-signing key has one ed25519 key by its name"))?;
    if kind == CrossSigning::Master || public == master {
        return if public == master && kind == CrossSigning::Master {
            Ok(())
        } else {
            Err(E2eeError::InvalidParam("the master key must not serve as another key"))
        };
    }
    let by_master = format!("ed25519:{master}");
    let signed = json::signatures_of(key, user.as_str())
        .any(|(id, signature)| id == by_master && json::is_signed(key, master, signature));
    if signed { Ok(()) } else { Err(E2eeError::InvalidSignature("the key is not signed by the master key")) }
}

/// Stores a key; whether that changed something.
async fn put(tx: &mut Tx, user: &UserId, kind: CrossSigning, key: &CanonicalJsonObject) -> Result<bool> {
    let device = OwnedDeviceId::from(public(key).unwrap_or_default());
    if tx.has(&DEVICES, (user, &device)).await? {
        return Err(E2eeError::IsDeviceId);
    }
    let text = json::text(key);
    let old = tx.get(&CROSS_SIGNING, (user, kind.code())).await?;
    if old.as_ref() == Some(&text) {
        return Ok(false);
    }
    if let Some(old) = old.as_deref().map(json::object).and_then(|old| public(&old))
        && old != device.as_str()
    {
        tx.clear(&SIGNATURES, &(user, old.as_str()));
    }
    tx.put(&CROSS_SIGNING, (user, kind.code()), &text);
    Ok(true)
}
