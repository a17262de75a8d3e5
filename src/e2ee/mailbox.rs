//! Messages to devices. Client-server API, "Send-to-Device messaging".

use std::{collections::BTreeMap, sync::Arc};

use account::tables::DEVICES;
use base::Clock;
use kv::{Db, Positions, Read, Stamp, Topic, Tx, View};
use ruma::{DeviceId, OwnedDeviceId, OwnedServerName, OwnedUserId, ServerName, UserId};

use crate::{
    Result,
    fill::Fill,
    tables::{MAIL, RECEIVED, RECEIVED_LOG, SENT, SENT_LOG},
};

/// Devices whose box was full.
type Full = Vec<(OwnedUserId, OwnedDeviceId)>;

/// Messages in one response.
const PER_RESPONSE: usize = 100;
/// Bytes of messages after which a response has no further ones.
const MAX_BYTES: usize = 1 << 20;

/// Contents by user and device id, which may be `*`, as JSON.
pub type Targets = BTreeMap<OwnedUserId, BTreeMap<String, String>>;

/// What waits for a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// In the order in which it was sent.
    pub messages: Vec<String>,
    /// Where the device stands after these, if there are more.
    pub upto: Option<Positions>,
}

/// Messages that wait for devices of this server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mailbox {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    server: OwnedServerName,
    fill: Arc<Fill>,
}

impl Mailbox {
    /// The messages in `db` to devices of users of `server`.
    pub fn new(db: Db, clock: Clock, server: OwnedServerName) -> Self {
        Self { db, clock, server, fill: Arc::default() }
    }

    /// The same with room for `limit` messages to each device.
    #[cfg(test)]
    pub(crate) fn holding(self, limit: usize) -> Self {
        Self { fill: Arc::new(Fill::new(limit)), ..self }
    }

    /// Whether users of `server` get their messages here.
    pub fn serves(&self, server: &ServerName) -> bool {
        self.server == server
    }

    /// Sends a message to each of `targets` here once for each `transaction`; users of other servers are for their
    /// servers. Devices that do not exist are passed over, and those whose box is full.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn send(
        &self,
        sender: (&UserId, &DeviceId),
        kind: &str,
        transaction: &str,
        targets: &Targets,
    ) -> Result<()> {
        self.send_with(sender, kind, transaction, targets, |_| {}).await.map(drop)
    }

    /// The same; `also` puts what is for other servers into the transaction. Whether it was not sent before.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn send_with(
        &self,
        sender: (&UserId, &DeviceId),
        kind: &str,
        transaction: &str,
        targets: &Targets,
        also: impl Fn(&mut Tx),
    ) -> Result<bool> {
        let (user, device) = sender;
        let now = self.clock.now();
        let full = kv::retry(|| async {
            let mut tx = self.db.begin();
            if tx.has(&SENT, (user, device, kind, transaction)).await? {
                // The first one may still be on its way to the disk.
                tx.commit().await?;
                return Ok(None);
            }
            tx.put(&SENT, (user, device, kind, transaction), &now);
            tx.put(&SENT_LOG, (now, user, device, kind, transaction), &());
            let full = self.deliver_all(&mut tx, user, kind, targets).await?;
            also(&mut tx);
            tx.commit().await?;
            Ok::<_, crate::E2eeError>(Some(full))
        })
        .await?;
        let Some(full) = full else { return Ok(false) };
        dropped(user, kind, &full);
        Ok(true)
    }

    /// Delivers what a user of another server sends, once for each `id` of that server. Returns when it is stored.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn receive(&self, sender: &UserId, id: &str, kind: &str, targets: &Targets) -> Result<()> {
        let origin = sender.server_name();
        let now = self.clock.now();
        let full = kv::retry(|| async {
            let mut tx = self.db.begin();
            if tx.has(&RECEIVED, (origin.as_str(), id)).await? {
                tx.commit().await?;
                return Ok(Full::new());
            }
            tx.put(&RECEIVED, (origin.as_str(), id), &now);
            tx.put(&RECEIVED_LOG, (now, origin.as_str(), id), &());
            let full = self.deliver_all(&mut tx, sender, kind, targets).await?;
            tx.commit().await?;
            Ok::<_, crate::E2eeError>(full)
        })
        .await?;
        dropped(sender, kind, &full);
        Ok(())
    }

    /// Puts messages into `tx`; the devices that get none because too many wait for them.
    async fn deliver_all(&self, tx: &mut Tx, sender: &UserId, kind: &str, targets: &Targets) -> Result<Full> {
        let mut full = Full::new();
        for (target, devices) in targets {
            if target.server_name() == self.server {
                full.extend(self.deliver(tx, sender, kind, target, devices).await?);
            }
        }
        Ok(full)
    }

    /// The first messages to a device after `since` up to `upto`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn read(
        &self,
        view: &View,
        user: &UserId,
        device: &DeviceId,
        since: Option<&Positions>,
        upto: &Positions,
    ) -> Result<Mail> {
        let (mut mail, mut bytes) = (Mail::default(), 0);
        let mut reached = since.cloned().unwrap_or_default();
        for (writer, n) in upto.iter() {
            let from = reached.of(writer).saturating_add(1);
            let to = Stamp { writer, n: n.saturating_add(1) };
            let range = MAIL.between(&(user, device, Stamp { writer, n: from }), &(user, device, to));
            let mut rows = view.scan(&MAIL, range).by(8);
            while let Some(((_, _, at), message)) = rows.next().await? {
                if mail.messages.len() >= PER_RESPONSE || bytes >= MAX_BYTES {
                    mail.upto = Some(reached);
                    return Ok(mail);
                }
                bytes += message.len();
                mail.messages.push(message);
                reached.advance(writer, at.n);
            }
            reached.advance(writer, n);
        }
        Ok(mail)
    }

    /// Removes the messages up to `since`, which the device has.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn acknowledge(&self, user: &UserId, device: &DeviceId, since: &Positions) -> Result<()> {
        let view = self.db.view();
        let mut keys = Vec::new();
        for ((_, _, at), _) in view.scan(&MAIL, MAIL.under(&(user, device))).by(8).first(PER_RESPONSE * 2).await? {
            if since.covers(at) {
                keys.push((user, device, at));
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        kv::retry(|| async {
            // Lost in a crash it is done again with the next token.
            let mut tx = self.db.begin().relaxed();
            keys.iter().for_each(|key| tx.delete(&MAIL, *key));
            tx.commit().await?;
            Ok::<_, kv::Error>(())
        })
        .await?;
        self.fill.forget(user, device);
        Ok(())
    }
}

impl Mailbox {
    /// Puts messages to devices of `target` into `tx`; the devices whose box is full.
    async fn deliver(
        &self,
        tx: &mut Tx,
        sender: &UserId,
        kind: &str,
        target: &UserId,
        contents: &BTreeMap<String, String>,
    ) -> Result<Full> {
        let mut messages: BTreeMap<OwnedDeviceId, &str> = BTreeMap::new();
        if let Some(content) = contents.get("*") {
            let devices = tx.scan(&DEVICES, DEVICES.under(&(target,))).collect().await?;
            messages.extend(devices.into_iter().map(|((_, device), _)| (device, content.as_str())));
        }
        let named = contents.iter().filter(|(device, _)| *device != "*");
        messages.extend(named.map(|(device, content)| (device.as_str().into(), content.as_str())));
        let (mut slot, mut full) = (None, Full::new());
        for (device, content) in messages {
            if !tx.has(&DEVICES, (target, &device)).await? {
                continue;
            }
            if !self.fill.takes(tx, target, &device).await? {
                full.push((target.to_owned(), device));
                continue;
            }
            let slot = *slot.get_or_insert_with(|| tx.stamp());
            let [kind, sender] = [kind, sender.as_str()].map(|text| serde_json::Value::from(text).to_string());
            let message = format!("{{\"type\":{kind},\"sender\":{sender},\"content\":{content}}}");
            tx.put(&MAIL, (target, &device, slot), &message);
        }
        if let Some(slot) = slot {
            tx.announce(Topic::User(target.to_owned()), slot);
        }
        Ok(full)
    }
}

/// Counts messages that were dropped because too many wait, and says whose.
fn dropped(sender: &UserId, kind: &str, full: &Full) {
    metrics::counter!("hearth_to_device_dropped_total").increment(u64::try_from(full.len()).unwrap_or(u64::MAX));
    for (user, device) in full {
        tracing::warn!(%sender, kind, %user, %device, "a message was dropped: too many wait for the device");
    }
}
