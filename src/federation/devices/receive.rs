//! What other servers tell of their users' devices, and their messages to ours. Server-server API, "Device Management",
//! "End-to-End Encryption", "Send-to-device messaging".

use std::collections::BTreeMap;

use e2ee::{CrossSigning, Keys, Targets, remote};
use kv::{Read, Tx};
use ruma::{OwnedDeviceId, OwnedUserId, ServerName, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    RemoteDevices, Result,
    tables::{LISTS, ListRow, STALE, StaleRow},
};

/// Most changes that a change can name as coming before it.
const MAX_PREVIOUS: usize = 100;
/// Longest message id, type of message and device id, in bytes.
const MAX_NAME: usize = 255;

#[derive(Deserialize)]
struct DeviceUpdate {
    user_id: OwnedUserId,
    device_id: OwnedDeviceId,
    stream_id: u64,
    #[serde(default)]
    prev_id: Vec<u64>,
    #[serde(default)]
    deleted: bool,
    keys: Option<Box<RawValue>>,
    device_display_name: Option<String>,
}

#[derive(Deserialize)]
struct KeyUpdate {
    user_id: OwnedUserId,
    master_key: Option<Box<RawValue>>,
    self_signing_key: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct DirectToDevice {
    sender: OwnedUserId,
    #[serde(rename = "type")]
    kind: String,
    message_id: String,
    messages: BTreeMap<OwnedUserId, BTreeMap<String, Box<RawValue>>>,
}

impl RemoteDevices {
    /// Takes in one EDU of `origin` with this content; when it returns that is stored. Those of other types, malformed
    /// ones and those about users of other servers are passed over.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn handle_edu(&self, origin: &ServerName, edu_type: &str, content: &str) -> Result<()> {
        match edu_type {
            "m.device_list_update" => match serde_json::from_str::<DeviceUpdate>(content) {
                Ok(update) if update.user_id.server_name() == origin => self.device_update(update).await,
                _ => Ok(()),
            },
            "m.signing_key_update" => match serde_json::from_str::<KeyUpdate>(content) {
                Ok(update) if update.user_id.server_name() == origin => self.key_update(update).await,
                _ => Ok(()),
            },
            "m.direct_to_device" => match serde_json::from_str::<DirectToDevice>(content) {
                Ok(mail) if mail.sender.server_name() == origin => self.mail(mail).await,
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    async fn device_update(&self, update: DeviceUpdate) -> Result<()> {
        let user = &update.user_id;
        if update.device_id.as_str().len() > MAX_NAME || !self.is_followed_or_forgotten(user).await? {
            return Ok(());
        }
        let keys = update.keys.as_ref().filter(|_| !update.deleted);
        let keys = keys.and_then(|keys| remote::identity_keys(user, &update.device_id, keys.get()));
        let keys = keys.map(|keys| remote::named(keys, update.device_display_name.as_deref()));
        let now = self.clock.now();
        let is_stale = kv::retry(|| async {
            let mut tx = self.db.begin();
            let list = tx.get(&LISTS, user).await?;
            let stale = tx.get(&STALE, user).await?;
            let order = list.as_ref().map(|list| order(list, &update));
            if order == Some(Order::Old) && stale.is_none() {
                return Ok(false);
            }
            let mut is_stale = false;
            // Who says only where they stand, since they came into a room, was told of to clients with that; nobody has
            // asked for their keys since.
            if list.is_none() && update.prev_id == [update.stream_id] {
                return Ok(false);
            }
            match (list, stale, order) {
                (Some(list), None, Some(Order::Next)) => {
                    Keys::put_remote_device(&mut tx, user, &update.device_id, keys.as_ref()).await?;
                    tx.put(&LISTS, user, &ListRow { stream: Some(update.stream_id), ..list });
                }
                (Some(_), stale, _) => {
                    is_stale = true;
                    miss(&mut tx, user, stale, now);
                }
                // Nobody has asked for this user's keys: those who do will ask the server.
                (None, ..) => {}
            }
            Keys::mark_changed(&mut tx, user).await?;
            tx.commit().await?;
            Ok::<_, kv::Error>(is_stale)
        })
        .await?;
        if is_stale {
            self.stale.notify_one();
        }
        Ok(())
    }

    async fn key_update(&self, update: KeyUpdate) -> Result<()> {
        let user = &update.user_id;
        if !self.is_followed_or_forgotten(user).await? {
            return Ok(());
        }
        let key = |kind, key: &Option<Box<RawValue>>| {
            key.as_ref().and_then(|key| remote::cross_signing_key(user, kind, key.get()))
        };
        let master = key(CrossSigning::Master, &update.master_key);
        let self_signing = key(CrossSigning::SelfSigning, &update.self_signing_key);
        if master.is_none() && self_signing.is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if tx.has(&LISTS, user).await? {
                Keys::put_remote_cross_signing(&mut tx, user, master.as_ref(), self_signing.as_ref()).await?;
                if let Some(stale) = tx.get(&STALE, user).await? {
                    miss(&mut tx, user, Some(stale), now);
                }
            }
            Keys::mark_changed(&mut tx, user).await?;
            tx.commit().await
        })
        .await?;
        Ok(())
    }

    async fn mail(&self, mail: DirectToDevice) -> Result<()> {
        if mail.message_id.len() > MAX_NAME || mail.kind.len() > MAX_NAME {
            return Ok(());
        }
        let is_object = |content: &RawValue| content.get().trim_start().starts_with('{');
        let mut targets = Targets::new();
        for (user, devices) in mail.messages {
            if self.is_ours(&user) {
                let contents = devices.into_iter().filter(|(_, content)| is_object(content));
                targets.insert(
                    user,
                    contents.map(|(device, content)| (device, String::from(Box::<str>::from(content)))).collect(),
                );
            }
        }
        self.mailbox.receive(&mail.sender, &mail.message_id, &mail.kind, &targets).await?;
        Ok(())
    }

    /// Whether changes of `user` are of interest here. If nobody here is in a room with them, what is kept of them is
    /// dropped: nobody is told of what comes next.
    async fn is_followed_or_forgotten(&self, user: &UserId) -> Result<bool> {
        let view = self.db.view();
        if self.is_met(&view, user).await? {
            return Ok(true);
        }
        if view.has(&LISTS, user).await? {
            self.forget(user).await?;
        }
        Ok(false)
    }

    /// Drops what is kept of a user of another server.
    pub(super) async fn forget(&self, user: &UserId) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            tx.delete(&LISTS, user);
            tx.delete(&STALE, user);
            Keys::forget_remote(&mut tx, user);
            tx.commit().await
        })
        .await?;
        Ok(())
    }
}

/// How a change stands to what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// It comes next.
    Next,
    /// It is known.
    Old,
    /// Others came before it that are not known.
    Gap,
}

fn order(list: &ListRow, update: &DeviceUpdate) -> Order {
    let Some(known) = list.stream else { return Order::Gap };
    if update.stream_id <= known {
        return Order::Old;
    }
    // A change that names none before it says nothing about what was missed.
    let is_next = !update.prev_id.is_empty()
        && update.prev_id.len() <= MAX_PREVIOUS
        && update.prev_id.iter().all(|previous| *previous <= known);
    if is_next { Order::Next } else { Order::Gap }
}

/// Notes in `tx` that the list of `user` misses something.
fn miss(tx: &mut Tx, user: &UserId, stale: Option<StaleRow>, now: base::Millis) {
    let stale = match stale {
        Some(stale) => StaleRow { missed: stale.missed.saturating_add(1), ..stale },
        None => StaleRow { missed: 0, tries: 0, again: now },
    };
    tx.put(&STALE, user, &stale);
}
