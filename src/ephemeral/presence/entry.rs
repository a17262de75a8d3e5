//! One user's presence, and what time and syncs do to it.

use std::collections::HashMap;

use base::Millis;
use kv::Stamp;
use ruma::OwnedDeviceId;

use super::{PresenceState, Status};

/// A user without activity for this long is idle, in milliseconds.
const IDLE_AFTER: Millis = 5 * 60 * 1000;
/// A user who has not synced for this long is offline, in milliseconds.
const OFFLINE_AFTER: Millis = 30 * 1000;
/// A user of another server that has not spoken of them for this long is offline, in milliseconds: servers repeat
/// themselves every 25 minutes.
const REMOTE_OFFLINE_AFTER: Millis = 30 * 60 * 1000;
/// Activity within this time counts as "currently active", in milliseconds.
const ACTIVE_WITHIN: Millis = 60 * 1000;
/// Least time between two changes that clients make by syncing and doing things, in milliseconds: each wakes everybody
/// who shares a room with the user.
const BETWEEN_TURNS: Millis = 2 * 1000;

/// What is known of a user.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    pub state: PresenceState,
    pub status: Option<String>,
    pub active_at: Millis,
    /// The position of the last change; `None` while it is being drawn.
    pub changed: Option<Stamp>,
    /// Whether another server says all this.
    remote: bool,
    /// When the user last synced or said something of their presence.
    heard_at: Millis,
    /// The devices that sync.
    syncs: HashMap<Option<OwnedDeviceId>, Syncing>,
    /// What the device that is most there asked for.
    asked: PresenceState,
    turned_at: Millis,
    /// The state that follows once enough time has passed since the last change.
    due: Option<PresenceState>,
}

/// A device that syncs.
#[derive(Debug, Clone, Default)]
struct Syncing {
    asked: PresenceState,
    polls: usize,
    at: Millis,
}

impl Entry {
    /// A sync of `device` begins, which asks for `state`; whether the user's state changes.
    pub fn begin_sync(&mut self, device: Option<OwnedDeviceId>, state: PresenceState, now: Millis) -> bool {
        self.remote = false;
        self.heard_at = now;
        self.syncs.retain(|_, sync| sync.polls > 0 || now.saturating_sub(sync.at) <= OFFLINE_AFTER);
        let is_new = !self.syncs.contains_key(&device);
        let sync = self.syncs.entry(device).or_default();
        (sync.asked, sync.at) = (state, now);
        sync.polls += 1;
        let asked = self.syncs.values().map(|sync| sync.asked).max().unwrap_or_default();
        let before = std::mem::replace(&mut self.asked, asked);
        // Who asks for the same again and again may be idle all the same.
        if asked == before && !is_new && self.settled(now) != PresenceState::Offline {
            return false;
        }
        if asked == PresenceState::Online {
            self.active_at = now;
        }
        self.turn(asked, now)
    }

    /// A sync of `device` ends.
    pub fn end_sync(&mut self, device: &Option<OwnedDeviceId>, now: Millis) {
        self.heard_at = now;
        if let Some(sync) = self.syncs.get_mut(device) {
            sync.polls = sync.polls.saturating_sub(1);
            sync.at = now;
        }
    }

    /// The user says what they want to be seen as; whether that is something else.
    pub fn say(&mut self, state: PresenceState, status: Option<String>, now: Millis) -> bool {
        self.remote = false;
        self.active_at = now;
        self.hear(state, status, now)
    }

    /// Another server says how its user is; whether that is something else.
    pub fn tell(
        &mut self,
        state: PresenceState,
        status: Option<String>,
        active_ago: Option<Millis>,
        now: Millis,
    ) -> bool {
        self.remote = true;
        self.active_at = active_ago.map_or(self.active_at, |ago| now.saturating_sub(ago));
        self.hear(state, status, now)
    }

    fn hear(&mut self, state: PresenceState, status: Option<String>, now: Millis) -> bool {
        (self.heard_at, self.due) = (now, None);
        let changed = self.state != state || self.status != status;
        self.status = status;
        if changed {
            self.become_now(state, now);
        }
        changed
    }

    /// The user did something; whether they were idle.
    pub fn act(&mut self, now: Millis) -> bool {
        self.active_at = now;
        self.due.unwrap_or(self.state) == PresenceState::Unavailable && self.turn(PresenceState::Online, now)
    }

    /// Lets time do its work; whether the state changes.
    pub fn settle(&mut self, now: Millis) -> bool {
        self.turn(self.settled(now), now)
    }

    /// As others see it.
    pub fn seen(&self, now: Millis) -> Status {
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
        let unheard = now.saturating_sub(self.heard_at);
        let is_gone = match self.remote {
            true => unheard > REMOTE_OFFLINE_AFTER,
            false => unheard > OFFLINE_AFTER && self.syncs.values().all(|sync| sync.polls == 0),
        };
        match self.due.unwrap_or(self.state) {
            _ if is_gone => PresenceState::Offline,
            PresenceState::Online if !self.remote && now.saturating_sub(self.active_at) > IDLE_AFTER => {
                PresenceState::Unavailable
            }
            state => state,
        }
    }

    /// Changes the state, at once or, so soon after the last change, when it is settled later; whether at once.
    fn turn(&mut self, state: PresenceState, now: Millis) -> bool {
        self.due = None;
        if state == self.state {
            return false;
        }
        if now < self.turned_at.saturating_add(BETWEEN_TURNS) {
            self.due = Some(state);
            return false;
        }
        self.become_now(state, now);
        true
    }

    fn become_now(&mut self, state: PresenceState, now: Millis) {
        (self.state, self.turned_at, self.changed) = (state, now, None);
    }
}
