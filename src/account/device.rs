//! Devices: what a user logs in with.

use std::net::IpAddr;

use base::Millis;
use futures::future::{BoxFuture, FutureExt};
use kv::{Read, Tx};
use ruma::{DeviceId, OwnedDeviceId, UserId};

use crate::{
    AccountData, AccountError, Accounts, Result,
    tables::{DEVICES, DeviceRow, SEEN, SESSIONS, SeenRow},
};

/// Devices remembered as seen lately; the oldest half is forgotten beyond that, which costs a write each.
const SEEN_IN_MEMORY: usize = 65_536;

/// Longest device id that a client may choose, in bytes.
const MAX_DEVICE_ID: usize = 255;
/// Longest name of a device, in bytes: everybody who asks for its keys gets it.
pub const MAX_DEVICE_NAME: usize = 255;
/// Account data whose type ends with the id of the device that it is of: "Client Behaviour" of push notifications,
/// and MSC3890.
const OF_DEVICE: [&str; 2] = ["m.local_notification_settings.", "org.matrix.msc3890.local_notification_settings."];

/// What happens to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChange {
    /// It logged in for the first time.
    Added,
    /// It has another display name.
    Renamed,
    /// It is gone, and so must be everything that was kept for it.
    Removed,
}

/// What another crate keeps per device and user, changed in the transaction that changes the device or ends the account.
pub trait DeviceProjection: Send + Sync {
    /// Whether `user` may log in on `device`, new or not; every projection has to agree.
    fn admits<'a>(&'a self, tx: &'a Tx, user: &'a UserId, device: &'a DeviceId) -> BoxFuture<'a, kv::Result<bool>> {
        let _ = (tx, user, device);
        futures::future::ready(Ok(true)).boxed()
    }

    /// Follows one change. It may run more than once before a commit: nothing but `tx` may be touched.
    fn device<'a>(
        &'a self,
        tx: &'a mut Tx,
        user: &'a UserId,
        device: &'a DeviceId,
        change: DeviceChange,
    ) -> BoxFuture<'a, kv::Result<()>>;

    /// Follows the end of an account, after that of its devices: everything that was kept for the user must go.
    fn ended<'a>(&'a self, tx: &'a mut Tx, user: &'a UserId) -> BoxFuture<'a, kv::Result<()>> {
        let _ = (tx, user);
        futures::future::ready(Ok(())).boxed()
    }
}

/// A device as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: OwnedDeviceId,
    /// What its user calls it.
    pub display_name: Option<String>,
    /// When it was last seen, to within `[sessions] last_seen_seconds`.
    pub seen_at: Option<Millis>,
    /// From which address.
    pub seen_ip: Option<String>,
}

impl Device {
    fn new(id: OwnedDeviceId, row: DeviceRow, seen: Option<SeenRow>) -> Self {
        let (seen_at, seen_ip) = seen.map(|seen| (seen.at, seen.ip)).unzip();
        Self { id, display_name: row.display_name, seen_at, seen_ip }
    }
}

impl Accounts {
    /// All devices of `user`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn devices(&self, user: &UserId) -> Result<Vec<Device>> {
        let view = self.db.view();
        let rows = view.scan(&DEVICES, DEVICES.under(&(user,))).collect().await?;
        let keys: Vec<_> = rows.iter().map(|((user, device), _)| (user, device)).collect();
        let seen = view.get_many(&SEEN, keys).await?;
        let device = |(((_, id), row), seen)| Device::new(id, row, seen);
        Ok(rows.into_iter().zip(seen).map(device).collect())
    }

    /// One device of `user`.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`]
    pub async fn device(&self, user: &UserId, device: &DeviceId) -> Result<Device> {
        let view = self.db.view();
        let row = view.get(&DEVICES, (user, device)).await?.ok_or(AccountError::UnknownDevice)?;
        let seen = view.get(&SEEN, (user, device)).await?;
        Ok(Device::new(device.to_owned(), row, seen))
    }

    /// Gives a device another display name; `None` keeps the one it has.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`], [`AccountError::DeviceNameTooLong`].
    pub async fn rename_device(&self, user: &UserId, device: &DeviceId, name: Option<&str>) -> Result<()> {
        check_device_name(name)?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut row = tx.get(&DEVICES, (user, device)).await?.ok_or(AccountError::UnknownDevice)?;
            if name.is_some() && row.display_name.as_deref() != name {
                row.display_name = name.map(str::to_owned);
                tx.put(&DEVICES, (user, device), &row);
                self.project(&mut tx, user, device, DeviceChange::Renamed).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Gives a device another display name, or adds it without tokens: nobody logs in on it. Whether it was added.
    ///
    /// # Errors
    /// [`AccountError::BadDeviceId`], [`AccountError::DeviceIdTaken`].
    pub async fn put_device(&self, user: &UserId, device: &DeviceId, name: Option<&str>) -> Result<bool> {
        let now = self.clock.now();
        match self.rename_device(user, device, name).await {
            Err(AccountError::UnknownDevice) => {}
            other => return other.map(|()| false),
        }
        kv::retry(|| async {
            let mut tx = self.db.begin();
            self.add_device_in(&mut tx, user, device, name, now).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Removes devices with their tokens and all that other crates keep for them; unknown ones are passed over.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn remove_devices(&self, user: &UserId, devices: &[OwnedDeviceId]) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            for device in devices {
                self.remove_device_in(&mut tx, user, device).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Removes all devices of `user`: `POST /logout/all`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn remove_all_devices(&self, user: &UserId) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            self.remove_devices_in(&mut tx, user, None).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Notes when and from where a device was seen; most calls only look into memory.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn seen(&self, user: &UserId, device: &DeviceId, ip: IpAddr) -> kv::Result<()> {
        let now = self.clock.now();
        if !self.is_news(user, device, now) {
            return Ok(());
        }
        let row = SeenRow { at: now, ip: ip.to_canonical().to_string() };
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            if tx.has(&DEVICES, (user, device)).await? {
                tx.put(&SEEN, (user, device), &row);
                tx.commit().await?;
            }
            Ok(())
        })
        .await
    }

    fn is_news(&self, user: &UserId, device: &DeviceId, now: Millis) -> bool {
        let interval = self.config.sessions.last_seen_seconds.saturating_mul(1000);
        let mut seen = self.seen.lock();
        let key = (user.to_owned(), device.to_owned());
        if seen.get(&key).is_some_and(|last| now.saturating_sub(*last) < interval) {
            return false;
        }
        if seen.len() >= SEEN_IN_MEMORY {
            let mut times: Vec<_> = seen.values().copied().collect();
            let middle = times.len() / 2;
            let (_, middle, _) = times.select_nth_unstable(middle);
            seen.retain(|_, at| *at > *middle);
        }
        seen.insert(key, now);
        true
    }

    /// Removes all devices of `user` but `keep` inside `tx`.
    pub(crate) async fn remove_devices_in(
        &self,
        tx: &mut Tx,
        user: &UserId,
        keep: Option<&DeviceId>,
    ) -> kv::Result<()> {
        let devices = tx.scan(&DEVICES, DEVICES.under(&(user,))).collect().await?;
        for ((_, device), _) in devices {
            if keep != Some(&device) {
                self.remove_device_in(tx, user, &device).await?;
            }
        }
        Ok(())
    }

    /// Adds a device that nobody has logged in on, inside `tx`.
    ///
    /// # Errors
    /// [`AccountError::BadDeviceId`], [`AccountError::DeviceNameTooLong`]; [`AccountError::DeviceIdTaken`] when there is one
    /// of this id.
    pub async fn add_device_in(
        &self,
        tx: &mut Tx,
        user: &UserId,
        device: &DeviceId,
        name: Option<&str>,
        now: Millis,
    ) -> Result<()> {
        check_device_id(device)?;
        check_device_name(name)?;
        if tx.has(&DEVICES, (user, device)).await? || !self.admitted(tx, user, device).await? {
            return Err(AccountError::DeviceIdTaken);
        }
        tx.put(&DEVICES, (user, device), &DeviceRow::new(now, name));
        Ok(self.project(tx, user, device, DeviceChange::Added).await?)
    }

    /// Removes a device with its tokens and all that other crates keep for it, inside `tx`; an unknown one is passed
    /// over.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn remove_device_in(&self, tx: &mut Tx, user: &UserId, device: &DeviceId) -> kv::Result<()> {
        self.drop_session(tx, user, device).await?;
        if tx.has(&DEVICES, (user, device)).await? {
            tx.delete(&DEVICES, (user, device));
            tx.delete(&SEEN, (user, device));
            tx.delete(&SESSIONS, (user, device));
            for kind in OF_DEVICE {
                let kind = format!("{kind}{device}");
                if AccountData::get_in(tx, user, None, &kind).await?.is_some() {
                    AccountData::remove_in(tx, user, None, &kind).await?;
                }
            }
            self.project(tx, user, device, DeviceChange::Removed).await?;
        }
        Ok(())
    }
}

impl DeviceRow {
    /// A device that is new; a name that is too long is cut, as nobody is to be kept out by it.
    pub(crate) fn new(created: Millis, name: Option<&str>) -> Self {
        let cut = |name: &str| name.get(..name.floor_char_boundary(MAX_DEVICE_NAME)).map(str::to_owned);
        Self { created, display_name: name.and_then(cut) }
    }
}

/// A device id that a client may choose.
pub(crate) fn check_device_id(id: &DeviceId) -> Result<()> {
    let length = id.as_str().len();
    if length == 0 || length > MAX_DEVICE_ID { Err(AccountError::BadDeviceId) } else { Ok(()) }
}

/// A name that a client may give a device.
pub(crate) fn check_device_name(name: Option<&str>) -> Result<()> {
    match name {
        Some(name) if name.len() > MAX_DEVICE_NAME => Err(AccountError::DeviceNameTooLong),
        _ => Ok(()),
    }
}
