use std::{collections::HashMap, sync::Arc};

use base::{Clock, Millis};
use kv::{Db, Read, Stamp, Topic};
use parking_lot::Mutex;
use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::{Result, changes::Changes, tables::PRESENCE};

/// A user without activity for this long is idle, in milliseconds.
const IDLE_AFTER: Millis = 5 * 60 * 1000;
/// A user who has not synced for this long is offline, in milliseconds.
const OFFLINE_AFTER: Millis = 30 * 1000;
/// Activity within this time counts as "currently active", in milliseconds.
const ACTIVE_WITHIN: Millis = 60 * 1000;

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

#[derive(Debug, Clone, Default)]
struct Entry {
    state: PresenceState,
    status: Option<String>,
    active_at: Millis,
    synced_at: Millis,
    polls: usize,
    /// The position of the last change; `None` while it is being drawn.
    changed: Option<Stamp>,
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
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.presence.users.lock().get_mut(&self.user) {
            entry.polls = entry.polls.saturating_sub(1);
            entry.synced_at = self.presence.clock.now();
        }
    }
}

impl Presence {
    /// Everybody is offline.
    pub fn new(db: Db, clock: Clock, enabled: bool) -> Self {
        Self { db, clock, enabled, users: Arc::default(), changes: Changes::default() }
    }

    /// Says that a sync of `user` begins; the guard says when it ends. `None` when the client does not want to
    /// count as present, or presence is off.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn poll(&self, user: &UserId, state: PresenceState) -> Result<Option<Poll<'_>>> {
        if !self.enabled || state == PresenceState::Offline {
            return Ok(None);
        }
        let now = self.clock.now();
        let stored = self.stored(user).await?;
        let changed = {
            let mut users = self.users.lock();
            let entry = users.entry(user.to_owned()).or_insert_with(|| stored.unwrap_or_default());
            entry.polls += 1;
            entry.synced_at = now;
            // Of several devices that sync, the one that is most there counts.
            let wanted = if entry.polls > 1 { state.max(entry.state) } else { state };
            // Who is idle stays that, however often their client syncs.
            let wanted =
                if entry.state == PresenceState::Unavailable { entry.unless_idle(wanted, now) } else { wanted };
            let changed = entry.state != wanted;
            if changed {
                if entry.state == PresenceState::Offline {
                    entry.active_at = now;
                }
                entry.state = wanted;
                entry.changed = None;
            }
            changed
        };
        let poll = Poll { presence: self, user: user.to_owned() };
        if changed {
            self.publish(user).await?;
        }
        Ok(Some(poll))
    }

    /// What is stored of a user whom nobody asked about since the start; `None` if they are in memory.
    async fn stored(&self, user: &UserId) -> Result<Option<Entry>> {
        if self.users.lock().contains_key(user) {
            return Ok(None);
        }
        let row = self.db.view().peek(&PRESENCE, user).await?.unwrap_or_default();
        Ok(Some(Entry { status: row.status, active_at: row.active_at, ..Entry::default() }))
    }

    /// Sets state and status message as the user wants them.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn set(&self, user: &UserId, state: PresenceState, status: Option<String>) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let now = self.clock.now();
        let row = PresenceRow { status: status.clone(), active_at: now };
        let mut tx = self.db.begin().relaxed();
        tx.put(&PRESENCE, user, &row);
        tx.submit().await?;
        let changed = {
            let mut users = self.users.lock();
            let entry = users.entry(user.to_owned()).or_default();
            let changed = entry.state != state || entry.status != status;
            (entry.state, entry.status) = (state, status);
            (entry.active_at, entry.synced_at) = (now, now);
            if changed {
                entry.changed = None;
            }
            changed
        };
        if changed { self.publish(user).await } else { Ok(()) }
    }

    /// Notes that the user did something: sent an event, typed, read.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn active(&self, user: &UserId) -> Result<()> {
        let now = self.clock.now();
        let changed = {
            let mut users = self.users.lock();
            let Some(entry) = users.get_mut(user).filter(|_| self.enabled) else { return Ok(()) };
            entry.active_at = now;
            let changed = entry.state == PresenceState::Unavailable;
            if changed {
                entry.state = PresenceState::Online;
                entry.changed = None;
            }
            changed
        };
        if changed { self.publish(user).await } else { Ok(()) }
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

    /// Makes those idle who do nothing, and those offline who do not sync. Idempotent; run it every few seconds.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn expire(&self) -> Result<()> {
        let now = self.clock.now();
        let mut changed = Vec::new();
        for (user, entry) in self.users.lock().iter_mut() {
            let state = entry.settled(now);
            if state != entry.state {
                entry.state = state;
                entry.changed = None;
                changed.push(user.clone());
            }
        }
        for user in changed {
            self.publish(&user).await?;
        }
        Ok(())
    }

    async fn publish(&self, user: &UserId) -> Result<()> {
        let mut tx = self.db.begin().relaxed();
        let slot = tx.stamp();
        tx.announce(Topic::Presence(user.to_owned()), slot);
        let pending = tx.submit().await?;
        let stamp = pending.stamp(slot);
        if let Some(entry) = self.users.lock().get_mut(user) {
            entry.changed = Some(entry.changed.map_or(stamp, |old| old.max(stamp)));
        }
        self.changes.tell(user.to_owned());
        Ok(pending.durable().await?)
    }
}

impl Entry {
    fn seen(&self, now: Millis) -> Status {
        let ago = now.saturating_sub(self.active_at);
        Status {
            state: self.state,
            status: self.status.clone(),
            active_ago: (self.active_at > 0).then_some(ago),
            currently_active: self.state == PresenceState::Online && ago < ACTIVE_WITHIN,
        }
    }

    /// The state after what time has done to it.
    fn settled(&self, now: Millis) -> PresenceState {
        if self.polls == 0 && now.saturating_sub(self.synced_at) > OFFLINE_AFTER {
            return PresenceState::Offline;
        }
        self.unless_idle(self.state, now)
    }

    /// `state`, or that the user is idle if they did nothing for long.
    fn unless_idle(&self, state: PresenceState, now: Millis) -> PresenceState {
        match state {
            PresenceState::Online if now.saturating_sub(self.active_at) > IDLE_AFTER => PresenceState::Unavailable,
            state => state,
        }
    }
}
