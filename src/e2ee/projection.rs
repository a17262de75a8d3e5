use account::{DeviceChange, DeviceProjection};
use futures::future::{BoxFuture, FutureExt};
use kv::Tx;
use ruma::{DeviceId, UserId};

use crate::{
    changes,
    tables::{COUNTS, DEVICE_KEYS, FALLBACK, MAIL, ONE_TIME, ONE_TIME_IDS, SENT, SIGNATURES},
};

/// Removes keys and messages with their device, and tells that devices changed.
#[derive(Debug, Clone, Copy)]
pub struct KeysProjection;

impl DeviceProjection for KeysProjection {
    fn device<'a>(
        &'a self,
        tx: &'a mut Tx,
        user: &'a UserId,
        device: &'a DeviceId,
        change: DeviceChange,
    ) -> BoxFuture<'a, kv::Result<()>> {
        async move {
            if change == DeviceChange::Removed {
                tx.delete(&DEVICE_KEYS, (user, device));
                tx.clear(&ONE_TIME, &(user, device));
                tx.clear(&ONE_TIME_IDS, &(user, device));
                tx.clear(&COUNTS, &(user, device));
                tx.clear(&FALLBACK, &(user, device));
                tx.clear(&SIGNATURES, &(user, device.as_str()));
                tx.clear(&MAIL, &(user, device));
                tx.clear(&SENT, &(user, device));
            }
            changes::mark(tx, user).await
        }
        .boxed()
    }
}
