//! Telling other servers of our users' devices: what they were told is remembered as hashes, and the difference to
//! what is so now is sent.

use std::collections::{BTreeMap, BTreeSet};

use account::tables::DEVICES;
use kv::{Read, Tx, View};
use ruma::{DeviceId, OwnedDeviceId, OwnedServerName, ServerName, UserId};
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    RemoteDevices, Result,
    tables::{STREAMS, TOLD, TOLD_KEYS},
};

/// The number of a list of which nothing was told yet.
pub(super) const FIRST: u64 = 1;

/// The devices of a user as other servers see them.
pub(super) type Devices = BTreeMap<OwnedDeviceId, DeviceInfo>;

/// A device as other servers see it.
#[derive(Debug)]
pub(super) struct DeviceInfo {
    /// Its identity keys, if it has any.
    pub keys: Option<Box<RawValue>>,
    /// What its user calls it, if other servers may know.
    pub name: Option<String>,
    /// Of all that counts as a change: also of a name that nobody is told.
    hash: [u8; 32],
}

/// What is told of a device.
pub(super) enum Told<'a> {
    /// How it is.
    Is(&'a DeviceInfo),
    /// That it is gone.
    Deleted,
}

/// What is to be told of a user.
struct News<'a> {
    user: &'a UserId,
    devices: Devices,
    /// Master and self-signing key.
    cross: [Option<Box<RawValue>>; 2],
    servers: BTreeSet<OwnedServerName>,
    now: u64,
}

impl RemoteDevices {
    /// Tells the servers in the rooms of `user` what changed since they were last told.
    pub(super) async fn announce_user(&self, user: &UserId) -> Result<()> {
        let view = self.db.view();
        let (devices, cross) = self.told_of(&view, user).await?;
        let servers = self.servers_of(&view, user).await?;
        let news = News { user, devices, cross, servers, now: self.clock.now() };
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if self.put_news(&mut tx, &news).await? {
                tx.commit().await?;
            }
            Ok::<_, super::DeviceError>(())
        })
        .await?;
        news.servers.iter().for_each(|server| self.queue.wake_edus(server));
        Ok(())
    }

    /// Devices and cross-signing keys of a user of ours as other servers see them.
    pub(super) async fn told_of(&self, view: &View, user: &UserId) -> Result<(Devices, [Option<Box<RawValue>>; 2])> {
        let mut keys = self.keys.query_in(view, None, user, &[]).await?;
        let rows = view.scan(&DEVICES, DEVICES.under(&(user,))).collect().await?;
        let devices = rows.into_iter().map(|((_, device), row)| {
            let keys = keys.devices.remove(&device);
            let hash = hash(keys.as_deref(), row.display_name.as_deref());
            let name = row.display_name.filter(|_| self.tells_names);
            (device, DeviceInfo { keys, name, hash })
        });
        Ok((devices.collect(), [keys.master, keys.self_signing]))
    }

    async fn servers_of(&self, view: &View, user: &UserId) -> Result<BTreeSet<OwnedServerName>> {
        let mut servers = BTreeSet::new();
        for room in self.rooms.joined_rooms(view, user).await? {
            servers.extend(self.rooms.servers_in(view, room).await?);
        }
        servers.remove(&self.own);
        Ok(servers)
    }

    /// Puts what is new into `tx`; whether anything was.
    async fn put_news(&self, tx: &mut Tx, news: &News<'_>) -> Result<bool> {
        let user = news.user;
        let stored = tx.get(&STREAMS, user).await?;
        let mut stream = stored.unwrap_or(FIRST);
        let mut told: BTreeMap<_, _> = tx.scan(&TOLD, TOLD.under(&(user,))).collect().await?.into_iter().collect();
        let mut changed = false;
        for (device, info) in &news.devices {
            if told.remove(&(user.to_owned(), device.clone())) != Some(info.hash) {
                self.put_device(tx, news, device, &mut stream, &Told::Is(info));
                tx.put(&TOLD, (user, device), &info.hash);
                changed = true;
            }
        }
        for (_, device) in told.into_keys() {
            self.put_device(tx, news, &device, &mut stream, &Told::Deleted);
            tx.delete(&TOLD, (user, &device));
            changed = true;
        }
        changed |= self.put_cross_signing(tx, news).await?;
        if stored != Some(stream) && stream != FIRST {
            tx.put(&STREAMS, user, &stream);
        }
        Ok(changed)
    }

    fn put_device(&self, tx: &mut Tx, news: &News<'_>, device: &OwnedDeviceId, stream: &mut u64, told: &Told<'_>) {
        let previous = *stream;
        // Goes on with the clock, so that numbers do not come again after a restore.
        *stream = news.now.max(previous.saturating_add(1));
        self.put_all(tx, news, &device_edu(news.user, device, (*stream, vec![previous]), told));
    }

    async fn put_cross_signing(&self, tx: &mut Tx, news: &News<'_>) -> Result<bool> {
        let [master, self_signing] = &news.cross;
        if master.is_none() {
            return Ok(false);
        }
        let now = [hash(master.as_deref(), None), hash(self_signing.as_deref(), None)].concat();
        let now = *blake3::hash(&now).as_bytes();
        if tx.get(&TOLD_KEYS, news.user).await? == Some(now) {
            return Ok(false);
        }
        tx.put(&TOLD_KEYS, news.user, &now);
        let mut content = Map::new();
        content.insert("user_id".to_owned(), news.user.as_str().into());
        content.extend(master.as_ref().map(|key| ("master_key".to_owned(), json!(key))));
        content.extend(self_signing.as_ref().map(|key| ("self_signing_key".to_owned(), json!(key))));
        self.put_all(tx, news, &json!({ "edu_type": "m.signing_key_update", "content": content }));
        Ok(true)
    }

    fn put_all(&self, tx: &mut Tx, news: &News<'_>, edu: &Value) {
        for server in &news.servers {
            self.put_each(tx, news.user, server, std::slice::from_ref(edu));
        }
    }

    /// Puts what a server is told of `user` into `tx`.
    pub(super) fn put_each(&self, tx: &mut Tx, user: &UserId, server: &ServerName, edus: &[Value]) {
        for edu in edus {
            if let Err(error) = self.queue.put_edu(tx, server, edu) {
                // Too large to be sent: they ask for the list when they see a gap.
                tracing::warn!(%user, %server, %error, "a change of a device was not told");
            }
        }
    }
}

/// `m.device_list_update` with a number and those before it.
pub(super) fn device_edu(user: &UserId, device: &DeviceId, (id, previous): (u64, Vec<u64>), told: &Told<'_>) -> Value {
    let mut content = Map::new();
    content.insert("user_id".to_owned(), user.as_str().into());
    content.insert("device_id".to_owned(), device.as_str().into());
    content.insert("stream_id".to_owned(), id.into());
    content.insert("prev_id".to_owned(), previous.into());
    match told {
        Told::Is(info) => {
            content.extend(info.keys.as_ref().map(|keys| ("keys".to_owned(), json!(keys))));
            content.extend(info.name.as_deref().map(|name| ("device_display_name".to_owned(), name.into())));
        }
        Told::Deleted => drop(content.insert("deleted".to_owned(), true.into())),
    }
    json!({ "edu_type": "m.device_list_update", "content": content })
}

fn hash(keys: Option<&RawValue>, name: Option<&str>) -> [u8; 32] {
    let keys = keys.map_or([0; 32], |keys| *blake3::hash(keys.get().as_bytes()).as_bytes());
    // A name that is empty is one, too.
    name.map_or(keys, |name| *blake3::keyed_hash(&keys, name.as_bytes()).as_bytes())
}
