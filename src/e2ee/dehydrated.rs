//! Dehydrated devices: they receive messages while a user has no other device. MSC3814.

use account::Accounts;
use base::Clock;
use kv::{Positions, Read};
use ruma::{DeviceId, OwnedDeviceId, UserId};

use crate::{
    DeviceUpload, E2eeError, Keys, Mail, Mailbox, Result,
    device_keys::{check, upload_in},
    tables::{DEHYDRATED, DehydratedRow},
};

/// A dehydrated device as a client uploads it.
#[derive(Debug, Clone)]
pub struct NewDehydrated {
    /// Its id.
    pub device: OwnedDeviceId,
    /// What a client needs to become it, a JSON object that is encrypted within.
    pub data: String,
    /// Its name.
    pub display_name: Option<String>,
    /// Its keys.
    pub keys: DeviceUpload,
}

/// The dehydrated devices of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dehydrated {
    keys: Keys,
    mailbox: Mailbox,
    accounts: Accounts,
    clock: Clock,
}

impl Dehydrated {
    /// The dehydrated devices of `accounts`.
    pub fn new(keys: Keys, mailbox: Mailbox, accounts: Accounts, clock: Clock) -> Self {
        Self { keys, mailbox, accounts, clock }
    }

    /// Makes `new` the dehydrated device of `user`, in place of the one before, which is removed with its messages.
    ///
    /// # Errors
    /// Those of [`Keys::upload`]; [`E2eeError::InvalidParam`] when the id is that of another device.
    pub async fn put(&self, user: &UserId, new: &NewDehydrated) -> Result<()> {
        let keys =
            new.keys.device_keys.as_ref().ok_or(E2eeError::Malformed("a dehydrated device needs device_keys"))?;
        check(user, &new.device, keys)?;
        let now = self.clock.now();
        let _queue = self.keys.queue(user).await;
        kv::retry(|| async {
            let mut tx = self.keys.db.begin();
            if let Some(old) = tx.get(&DEHYDRATED, user).await? {
                self.accounts.remove_device_in(&mut tx, user, &old.device).await?;
            }
            let added = self.accounts.add_device_in(&mut tx, user, &new.device, new.display_name.as_deref(), now).await;
            added.map_err(|error| match error {
                account::AccountError::Store(error) => E2eeError::Store(error),
                _ => E2eeError::InvalidParam("the id of a dehydrated device has 1 to 255 bytes and is of no other"),
            })?;
            let row = DehydratedRow { device: new.device.clone(), data: new.data.clone() };
            tx.put(&DEHYDRATED, user, &row);
            upload_in(&mut tx, user, &new.device, &new.keys).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The dehydrated device of `user`.
    ///
    /// # Errors
    /// [`E2eeError::UnknownDevice`]
    pub async fn of(&self, user: &UserId) -> Result<DehydratedRow> {
        self.keys.db.view().get(&DEHYDRATED, user).await?.ok_or(E2eeError::UnknownDevice)
    }

    /// Removes the dehydrated device of `user`, and returns its id.
    ///
    /// # Errors
    /// [`E2eeError::UnknownDevice`]
    pub async fn remove(&self, user: &UserId) -> Result<OwnedDeviceId> {
        kv::retry(|| async {
            let mut tx = self.keys.db.begin();
            let row = tx.get(&DEHYDRATED, user).await?.ok_or(E2eeError::UnknownDevice)?;
            self.accounts.remove_device_in(&mut tx, user, &row.device).await?;
            tx.commit().await?;
            Ok(row.device)
        })
        .await
    }

    /// Messages to the dehydrated device after `since`, up to where these are, and whether there are more. They stay
    /// until the device is replaced or removed: whoever rehydrates it may have to begin anew.
    ///
    /// # Errors
    /// [`E2eeError::UnknownDevice`] when `device` is not the user's dehydrated one.
    pub async fn events(
        &self,
        user: &UserId,
        device: &DeviceId,
        since: Option<&Positions>,
    ) -> Result<(Vec<String>, Positions, bool)> {
        if self.of(user).await?.device != device {
            return Err(E2eeError::UnknownDevice);
        }
        let view = self.keys.db.view();
        let Mail { messages, upto } = self.mailbox.read(&view, user, device, since, view.positions()).await?;
        let more = upto.is_some();
        Ok((messages, upto.unwrap_or_else(|| view.positions().clone()), more))
    }
}
