//! What is told of a user's keys: stored text with a little added, so that hundreds of users cost little.

use std::collections::{BTreeMap, HashMap};

use account::tables::DEVICES;
use kv::{Read, View};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use serde_json::value::RawValue;

use crate::{
    CrossSigning, Keys, Result, cross_signing, json,
    tables::{CROSS_SIGNING, DEVICE_KEYS, SIGNATURES},
};

/// The keys of a user as somebody sees them.
#[derive(Debug, Clone, Default)]
pub struct KeysOf {
    /// Identity keys by device, with `unsigned.device_display_name`.
    pub devices: BTreeMap<OwnedDeviceId, Box<RawValue>>,
    /// The master key.
    pub master: Option<Box<RawValue>>,
    /// The key that signs the user's devices.
    pub self_signing: Option<Box<RawValue>>,
    /// The key that signs other users' master keys; only for the user.
    pub user_signing: Option<Box<RawValue>>,
}

/// Signatures read at a time.
const PAGE: usize = 64;

/// Signatures that were added to keys: signer, key id, signature.
type Added = Vec<(OwnedUserId, String, String)>;

impl Keys {
    /// What `asker` sees of the keys of `user`, one of ours; all devices if `devices` is empty. Nobody in particular
    /// asks for another server. Client-server API, `POST /keys/query`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn query(&self, asker: Option<&UserId>, user: &UserId, devices: &[OwnedDeviceId]) -> Result<KeysOf> {
        self.query_in(&self.db.view(), asker, user, devices).await
    }

    /// The same as `view` shows it.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn query_in(
        &self,
        view: &View,
        asker: Option<&UserId>,
        user: &UserId,
        devices: &[OwnedDeviceId],
    ) -> Result<KeysOf> {
        let signatures = signatures(view, asker, user).await?;
        let added = |target: &str| signatures.get(target).map_or(&[][..], Vec::as_slice);
        let mut rows = view.scan(&DEVICE_KEYS, DEVICE_KEYS.under(&(user,))).by(16).collect().await?;
        rows.retain(|((_, device), _)| devices.is_empty() || devices.contains(device));
        let mut found = KeysOf::default();
        if asker.is_none() || !self.is_local(user) {
            // Other servers are not told what users call their devices, and those of theirs come with what they tell.
            for ((_, device), text) in rows {
                let keys = complete(text, added(device.as_str()), None)?;
                found.devices.insert(device, keys);
            }
        } else {
            let keys: Vec<_> = rows.iter().map(|((_, device), _)| (user, device)).collect();
            let named = view.get_many(&DEVICES, keys).await?;
            for (((_, device), text), row) in rows.into_iter().zip(named) {
                let name = row.and_then(|row| row.display_name);
                let keys = complete(text, added(device.as_str()), Some(name.as_deref()))?;
                found.devices.insert(device, keys);
            }
        }
        for ((_, code), text) in view.scan(&CROSS_SIGNING, CROSS_SIGNING.under(&(user,))).by(4).collect().await? {
            let public = cross_signing::public(&json::object(&text)).unwrap_or_default();
            let key = Some(complete(text, added(&public), None)?);
            match CrossSigning::of(code) {
                Some(CrossSigning::Master) => found.master = key,
                Some(CrossSigning::SelfSigning) => found.self_signing = key,
                Some(CrossSigning::UserSigning) if asker == Some(user) => found.user_signing = key,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A stored key with the signatures that were added to it, and with `unsigned` if it is one of a device.
fn complete(
    text: String,
    added: &[(OwnedUserId, String, String)],
    name: Option<Option<&str>>,
) -> Result<Box<RawValue>> {
    let mut text = text;
    if !added.is_empty() {
        let mut keys = json::object(&text);
        for (signer, key, signature) in added {
            json::add_signature(&mut keys, signer.as_str(), key, signature);
        }
        text = json::text(&keys);
    }
    if let Some(name) = name {
        // What is stored has no `unsigned`.
        let unsigned = name.map_or_else(
            || "{}".to_owned(),
            |name| format!("{{\"device_display_name\":{}}}", serde_json::Value::from(name)),
        );
        if text.pop() == Some('}') {
            let comma = if text.len() > 1 { "," } else { "" };
            text = format!("{text}{comma}\"unsigned\":{unsigned}}}");
        }
    }
    Ok(RawValue::from_string(text).map_err(|error| kv::Error::corrupt(DEVICE_KEYS.name(), error))?)
}

/// The signatures on keys of `user` that `asker` sees: those of the two of them. A key that many others have signed
/// costs no more than that: their rows are leapt over, a page at a time.
async fn signatures(view: &View, asker: Option<&UserId>, user: &UserId) -> kv::Result<HashMap<String, Added>> {
    let mut seen = vec![user];
    seen.extend(asker.filter(|asker| *asker != user));
    seen.sort();
    let mut signatures: HashMap<String, Added> = HashMap::new();
    let mut range = SIGNATURES.under(&(user,));
    loop {
        let rows = view.scan(&SIGNATURES, range.clone()).by(16).first(PAGE).await?;
        let last = rows.last().filter(|_| rows.len() == PAGE).map(|(key, _)| key.clone());
        for ((_, target, signer, key), signature) in rows {
            if seen.contains(&&*signer) {
                signatures.entry(target).or_default().push((signer, key, signature));
            }
        }
        let Some(last) = last else { return Ok(signatures) };
        let (target, signer) = (last.1.as_str(), &*last.2);
        range.start = match seen.iter().find(|seen| **seen >= signer) {
            // The last row comes again, which changes nothing.
            Some(same) if *same == signer => SIGNATURES.between(&last, &last).start,
            Some(next) => SIGNATURES.under(&(user, target, *next)).start,
            None => SIGNATURES.under(&(user, target)).end,
        };
    }
}
