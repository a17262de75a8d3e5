use account::{DeviceChange, DeviceProjection};
use futures::future::{BoxFuture, FutureExt};
use kv::{Read, Tx};
use ruma::{DeviceId, UserId};

use crate::{
    CrossSigning, KeyCounts, changes, cross_signing, json,
    tables::{
        BACKED_UP, BACKUPS, CLAIMED, COUNTS, CROSS_SIGNING, DEHYDRATED, DEVICE_KEYS, FALLBACK, HEADS, LEFT, MAIL,
        ONE_TIME, ONE_TIME_IDS, OWN_CHANGED, OWN_LOG, SENT, SIGNATURES,
    },
};

/// Removes keys and messages with their device, and tells that devices changed.
#[derive(Debug, Clone, Copy)]
pub struct KeysProjection;

impl DeviceProjection for KeysProjection {
    /// A cross-signing key is named like a device, and a dehydrated device is nobody's session.
    fn admits<'a>(&'a self, tx: &'a Tx, user: &'a UserId, device: &'a DeviceId) -> BoxFuture<'a, kv::Result<bool>> {
        async move {
            if tx.get(&DEHYDRATED, user).await?.is_some_and(|row| row.device == device) {
                return Ok(false);
            }
            for kind in [CrossSigning::Master, CrossSigning::SelfSigning, CrossSigning::UserSigning] {
                let key = tx.get(&CROSS_SIGNING, (user, kind.code())).await?;
                if key.and_then(|text| cross_signing::public(&json::object(&text))).as_deref() == Some(device.as_str())
                {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        .boxed()
    }

    fn device<'a>(
        &'a self,
        tx: &'a mut Tx,
        user: &'a UserId,
        device: &'a DeviceId,
        change: DeviceChange,
    ) -> BoxFuture<'a, kv::Result<()>> {
        async move {
            if change == DeviceChange::Added {
                tx.put(&LEFT, (user, device), &KeyCounts::default());
            }
            if change == DeviceChange::Removed {
                tx.delete(&LEFT, (user, device));
                tx.delete(&DEVICE_KEYS, (user, device));
                tx.clear(&ONE_TIME, &(user, device));
                tx.clear(&ONE_TIME_IDS, &(user, device));
                tx.clear(&CLAIMED, &(user, device));
                tx.clear(&COUNTS, &(user, device));
                tx.clear(&HEADS, &(user, device));
                tx.clear(&FALLBACK, &(user, device));
                tx.clear(&SIGNATURES, &(user, device.as_str()));
                tx.clear(&MAIL, &(user, device));
                tx.clear(&SENT, &(user, device));
                if tx.get(&DEHYDRATED, user).await?.is_some_and(|row| row.device == device) {
                    tx.delete(&DEHYDRATED, user);
                }
            }
            changes::mark(tx, user).await
        }
        .boxed()
    }

    /// Cross-signing keys and backups are nobody's any more, nor are signatures on the keys.
    fn ended<'a>(&'a self, tx: &'a mut Tx, user: &'a UserId) -> BoxFuture<'a, kv::Result<()>> {
        async move {
            tx.clear(&CROSS_SIGNING, &(user,));
            tx.clear(&SIGNATURES, &(user,));
            tx.clear(&BACKUPS, &(user,));
            tx.clear(&BACKED_UP, &(user,));
            tx.clear(&OWN_LOG, &(user,));
            tx.clear(&OWN_CHANGED, &(user,));
            changes::mark(tx, user).await
        }
        .boxed()
    }
}
