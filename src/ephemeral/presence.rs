mod entry;

use std::{collections::HashMap, sync::Arc};

use base::{Clock, Millis};
use kv::{Db, Read, Stamp, Topic};
use parking_lot::Mutex;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use self::entry::Entry;
use crate::{EphemeralError, Result, changes::Changes, tables::PRESENCE};

/// Longest status message in bytes: everybody who shares a room with the user gets it.
pub const MAX_STATUS_BYTES: usize = 2048;

/// Whether somebody is there. Client-server API, "Presence".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum PresenceState {
    /// Not connected.
    #[default]
    Offline,
    /// Connected, idle.
    Unavailable,
    /// Connected and active.
    Online,
}

impl PresenceState {
    /// As it stands in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Unavailable => "unavailable",
            Self::Online => "online",
        }
    }
}

/// What is stored of a user's presence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceRow {
    status: Option<String>,
    active_at: Millis,
}
kv::value!(PresenceRow);

/// A user's presence as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether they are there.
    pub state: PresenceState,
    /// What they say of it.
    pub status: Option<String>,
    /// Milliseconds since they were last active; `None` if they never were.
    pub active_ago: Option<Millis>,
    /// Whether they are active right now.
    pub currently_active: bool,
}

/// Who is there. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Presence {
    db: Db,
    clock: Clock,
    enabled: bool,
    users: Arc<Mutex<HashMap<OwnedUserId, Entry>>>,
    changes: Changes<OwnedUserId>,
}

/// Holds a user online while a sync waits.
#[derive(Debug)]
pub struct Poll<'a> {
    presence: &'a Presence,
    user: OwnedUserId,
    device: Option<OwnedDeviceId>,
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.presence.users.lock().get_mut(&self.user) {
            entry.end_sync(&self.device, self.presence.clock.now());
        }
    }
}

impl Presence {
    /// Everybody is offline.
    pub fn new(db: Db, clock: Clock, enabled: bool) -> Self {
        Self { db, clock, enabled, users: Arc::default(), changes: Changes::default() }
    }

    /// Says that a sync of a device of `user` begins; the guard says when it ends. `None` when the client does not want
    /// to count as present, or presence is off. Of several devices that sync, the one that is most there counts.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn poll(
        &self,
        user: &UserId,
        device: Option<&DeviceId>,
        state: PresenceState,
    ) -> Result<Option<Poll<'_>>> {
        if !self.enabled || state == PresenceState::Offline {
            return Ok(None);
        }
        let poll = Poll { presence: self, user: user.to_owned(), device: device.map(ToOwned::to_owned) };
        self.change(user, |entry, now| entry.begin_sync(poll.device.clone(), state, now)).await?;
        Ok(Some(poll))
    }

    /// Sets state and status message as the user wants them.
    ///
    /// # Errors
    /// [`EphemeralError::StatusTooLong`].
    pub async fn set(&self, user: &UserId, state: PresenceState, status: Option<String>) -> Result<()> {
        if status.as_ref().is_some_and(|status| status.len() > MAX_STATUS_BYTES) {
            return Err(EphemeralError::StatusTooLong);
        }
        if !self.enabled {
            return Ok(());
        }
        let row = PresenceRow { status: status.clone(), active_at: self.clock.now() };
        let mut tx = self.db.begin().relaxed();
        tx.put(&PRESENCE, user, &row);
        tx.submit().await?;
        self.change(user, |entry, now| entry.say(state, status, now)).await
    }

    /// Notes what another server says of its user, who was active `active_ago` milliseconds ago. A status message that
    /// is too long is left out.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn set_remote(
        &self,
        user: &UserId,
        state: PresenceState,
        status: Option<String>,
        active_ago: Option<Millis>,
    ) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let status = status.filter(|status| status.len() <= MAX_STATUS_BYTES);
        self.change(user, |entry, now| entry.tell(state, status, active_ago, now)).await
    }

    /// Notes that the user did something: sent an event, typed, read.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn active(&self, user: &UserId) -> Result<()> {
        let now = self.clock.now();
        let changed = self.users.lock().get_mut(user).is_some_and(|entry| entry.act(now));
        if changed { self.publish(&[user.to_owned()]).await } else { Ok(()) }
    }

    /// Changes a user's entry, and tells of it if `change` says so.
    async fn change(&self, user: &UserId, change: impl FnOnce(&mut Entry, Millis) -> bool) -> Result<()> {
        let now = self.clock.now();
        let changed = change(self.users.lock().entry(user.to_owned()).or_default(), now);
        if changed { self.publish(&[user.to_owned()]).await } else { Ok(()) }
    }

    /// A user's presence.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn status(&self, read: &impl Read, user: &UserId) -> Result<Status> {
        let now = self.clock.now();
        if let Some(entry) = self.users.lock().get(user) {
            return Ok(entry.seen(now));
        }
        let row = read.peek(&PRESENCE, user).await?.unwrap_or_default();
        let active_ago = (row.active_at > 0).then(|| now.saturating_sub(row.active_at));
        Ok(Status { state: PresenceState::Offline, status: row.status, active_ago, currently_active: false })
    }

    /// A user's presence now.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn now(&self, user: &UserId) -> Result<Status> {
        self.status(&self.db.view(), user).await
    }

    /// The presence of `user`, if it changed by `news`.
    pub fn news(&self, user: &UserId, news: impl Fn(Stamp) -> bool) -> Option<Status> {
        let users = self.users.lock();
        let entry = users.get(user)?;
        entry.changed.is_none_or(news).then(|| entry.seen(self.clock.now()))
    }

    /// Whose presence changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<OwnedUserId> {
        self.changes.follow()
    }

    /// Everybody who is not offline, for an initial sync to choose from.
    pub fn present(&self) -> Vec<OwnedUserId> {
        let users = self.users.lock();
        let present = users.iter().filter(|(_, entry)| entry.state != PresenceState::Offline);
        present.map(|(user, _)| user.clone()).collect()
    }

    /// Makes those idle who do nothing, and those offline who do not sync. Idempotent; run it every second or so.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn expire(&self) -> Result<()> {
        let now = self.clock.now();
        let mut changed = Vec::new();
        for (user, entry) in self.users.lock().iter_mut() {
            if entry.settle(now) {
                changed.push(user.clone());
            }
        }
        self.publish(&changed).await
    }

    /// Draws positions for changes and tells whoever shares a room with these users.
    async fn publish(&self, changed: &[OwnedUserId]) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().relaxed();
        let slot = tx.stamp();
        for user in changed {
            tx.announce(Topic::Presence(user.clone()), slot);
        }
        let pending = tx.submit().await?;
        let stamp = pending.stamp(slot);
        {
            let mut users = self.users.lock();
            for user in changed {
                if let Some(entry) = users.get_mut(user) {
                    entry.changed = Some(entry.changed.map_or(stamp, |old| old.max(stamp)));
                }
            }
        }
        changed.iter().for_each(|user| self.changes.tell(user.clone()));
        Ok(pending.durable().await?)
    }
}
