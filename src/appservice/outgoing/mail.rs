//! Messages to devices of an application service's users, and what they need to encrypt. MSC4203 and MSC3202.

use std::collections::BTreeSet;

use e2ee::tables::MAIL;
use kv::{Positions, Read, Stamp, View};
use room::{EventRow, Membership, RoomNum};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde_json::{Map, Value};

use super::{Outgoing, interest::Interest, walk::Batch};
use crate::{Appservice, Result, service::Service};

/// Users whose mail is read for one transaction.
const MAX_USERS: usize = 50;
/// No more devices' mail is read beyond this many bytes.
const MAX_BYTES: usize = 1 << 20;
/// The most users whose devices changed, or who left, in one transaction.
const MAX_LISTED: usize = 10_000;

/// Messages to devices.
#[derive(Debug, Default)]
pub(super) struct Mailed {
    /// With whom they are for.
    pub messages: Vec<Value>,
    /// Up to where devices have them then.
    pub upto: Vec<(OwnedUserId, OwnedDeviceId, Positions)>,
}

/// Whose devices an application service has to look at anew, or no longer. MSC3202.
#[derive(Debug, Default)]
pub(super) struct DeviceLists {
    /// Users that share rooms with its users and whose devices changed.
    pub changed: Vec<String>,
    /// Users that no longer share a room with its users.
    pub left: Vec<String>,
}

impl Outgoing {
    /// Looks once for whom messages wait since the last process.
    pub(super) async fn find_mail(&self, service: &Service) -> Result<()> {
        if !service.registration.ephemeral {
            return Ok(());
        }
        let view = self.appservices.db.view();
        let mut range = MAIL.all();
        // From the first message of a user on to the next user: one read each.
        while let Some(((user, _, _), _)) = view.scan(&MAIL, range.clone()).by(1).next().await? {
            range.start = MAIL.under(&(&user,)).end;
            if service.registration.owns_user(&user) {
                service.state.lock().mail.insert(user);
            }
        }
        Ok(())
    }

    /// Messages to the devices of its own users: of users that it shares with others they would be gone for these.
    pub(super) async fn mailed(&self, view: &View, service: &Service) -> Result<Mailed> {
        let users: Vec<_> = {
            let mut state = service.state.lock();
            let some: Vec<_> = state.mail.iter().take(MAX_USERS).cloned().collect();
            some.iter().for_each(|user| {
                state.mail.remove(user);
            });
            some
        };
        let mut mailed = Mailed::default();
        let mut bytes = 0;
        for user in users {
            for device in self.appservices.accounts.devices(&user).await? {
                if bytes > MAX_BYTES {
                    service.state.lock().mail.insert(user.clone());
                    break;
                }
                let mail = self.mailbox.read(view, &user, &device.id, None, view.positions()).await?;
                if mail.messages.is_empty() {
                    continue;
                }
                bytes += mail.messages.iter().map(String::len).sum::<usize>();
                let addressed = mail.messages.iter().filter_map(|message| addressed(message, &user, &device.id));
                mailed.messages.extend(addressed);
                if mail.upto.is_some() {
                    service.state.lock().mail.insert(user.clone());
                }
                let upto = mail.upto.unwrap_or_else(|| view.positions().clone());
                mailed.upto.push((user.clone(), device.id, upto));
            }
        }
        if !service.state.lock().mail.is_empty() {
            service.news.notify_one();
        }
        Ok(mailed)
    }

    /// What happened to devices from `from` up to where `batch` ends.
    pub(super) async fn device_lists(
        &self,
        view: &View,
        interest: &mut Interest,
        from: &Positions,
        batch: &Batch,
    ) -> Result<DeviceLists> {
        let (mut changed, mut left) = (BTreeSet::new(), BTreeSet::new());
        for (writer, end) in batch.upto.iter() {
            let stamp = |n: u64| Stamp { writer, n: n.saturating_add(1) };
            changed.extend(self.keys.changed(view, stamp(from.of(writer)), stamp(end)).await?);
        }
        for (event, row) in &batch.events {
            left.extend(self.gone(view, interest, event.room, row).await?);
        }
        let mut lists = DeviceLists::default();
        for user in changed {
            if lists.changed.len() < MAX_LISTED && interest.in_user(&self.rooms, view, &user).await? {
                lists.changed.push(user.into());
            }
        }
        for user in left {
            if lists.left.len() < MAX_LISTED && !interest.in_user(&self.rooms, view, &user).await? {
                lists.left.push(user.into());
            }
        }
        Ok(lists)
    }

    /// Who may be out of sight by a member event: who left the room, and with its last user everybody else there.
    async fn gone(
        &self,
        view: &View,
        interest: &mut Interest,
        room: RoomNum,
        row: &EventRow,
    ) -> Result<Vec<OwnedUserId>> {
        let membership = room::membership_in(row.event.content());
        if row.event.kind() != "m.room.member" || !matches!(membership, Some(Membership::Leave | Membership::Ban)) {
            return Ok(Vec::new());
        }
        let Some(Ok(member)) = row.event.state_key().map(OwnedUserId::try_from) else { return Ok(Vec::new()) };
        if !interest.in_user(&self.rooms, view, &member).await? {
            return Ok(vec![member]);
        }
        if interest.in_room(&self.rooms, view, room).await? {
            return Ok(Vec::new());
        }
        let members = self.rooms.members(view, room, Membership::Join).await?;
        Ok(members.into_iter().map(|member| member.user).collect())
    }

    /// Adds how many keys are left for its own user and for those who get messages.
    pub(super) async fn add_key_counts(
        &self,
        view: &View,
        service: &Appservice,
        mailed: &Mailed,
        body: &mut Map<String, Value>,
    ) -> Result<()> {
        let mut users: BTreeSet<_> = mailed.upto.iter().map(|(user, ..)| user.clone()).collect();
        users.insert(service.sender.clone());
        let (mut one_time, mut fallbacks) = (Map::new(), Map::new());
        for user in users {
            let (mut counts, mut unused) = (Map::new(), Map::new());
            for device in self.appservices.accounts.devices(&user).await? {
                let left = self.keys.counts(view, &user, &device.id).await?;
                counts.insert(device.id.to_string(), serde_json::json!(left.one_time));
                unused.insert(device.id.to_string(), left.unused_fallbacks.into());
            }
            if !counts.is_empty() {
                one_time.insert(user.to_string(), counts.into());
                fallbacks.insert(user.to_string(), unused.into());
            }
        }
        for (prefix, counts) in [
            ("", "device_one_time_keys_count"),
            ("org.matrix.msc3202.", "device_one_time_keys_count"),
            ("org.matrix.msc3202.", "device_one_time_key_counts"),
        ] {
            body.insert(format!("{prefix}{counts}"), one_time.clone().into());
        }
        for prefix in ["", "org.matrix.msc3202."] {
            body.insert(format!("{prefix}device_unused_fallback_key_types"), fallbacks.clone().into());
        }
        Ok(())
    }
}

/// A message with whom it is for.
fn addressed(message: &str, user: &OwnedUserId, device: &OwnedDeviceId) -> Option<Value> {
    let mut message: Map<String, Value> = serde_json::from_str(message).ok()?;
    message.insert("to_user_id".into(), user.as_str().into());
    message.insert("to_device_id".into(), device.as_str().into());
    Some(message.into())
}
