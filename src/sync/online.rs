//! Who is waiting for news, and which rooms can bring them some.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kv::{Announcement, Topic};
use parking_lot::Mutex;
use room::RoomNum;
use ruma::{OwnedUserId, UserId};
use tokio::sync::Notify;

/// Users kept after their last request; then those who do not wait are forgotten.
const KEPT: usize = 20_000;

/// A user who syncs: their rooms, loaded once and not for every request.
#[derive(Debug)]
pub struct Watcher {
    rooms: HashSet<RoomNum>,
    wake: Notify,
    stale: AtomicBool,
}

impl Watcher {
    /// The rooms that the user is joined to.
    pub fn rooms(&self) -> &HashSet<RoomNum> {
        &self.rooms
    }

    /// Ends at the next change that concerns the user. Ask for it before reading positions.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.wake.notified()
    }
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<OwnedUserId, Arc<Watcher>>,
    rooms: HashMap<RoomNum, HashMap<OwnedUserId, Arc<Watcher>>>,
}

/// The users who sync.
#[derive(Debug, Default)]
pub struct Online(Mutex<State>);

impl Online {
    /// The user, if their rooms are known and did not change.
    pub fn find(&self, user: &UserId) -> Option<Arc<Watcher>> {
        let state = self.0.lock();
        state.users.get(user).filter(|watcher| !watcher.stale.load(Ordering::Acquire)).cloned()
    }

    /// Notes a user before their rooms are read, so that a change meanwhile marks what is then
    /// [`Online::settle`]d as stale.
    pub fn expect(&self, user: &UserId) -> Arc<Watcher> {
        let watcher = Arc::new(Watcher { rooms: HashSet::new(), wake: Notify::new(), stale: AtomicBool::new(false) });
        let mut state = self.0.lock();
        state.forget_idle();
        state.remove(user);
        state.users.insert(user.to_owned(), watcher.clone());
        watcher
    }

    /// Whether two users share a room; `None` if one of them is not known here.
    pub fn share_a_room(&self, a: &UserId, b: &UserId) -> Option<bool> {
        let state = self.0.lock();
        let (a, b) = (state.users.get(a)?, state.users.get(b)?);
        let (fewer, more) = if a.rooms.len() < b.rooms.len() { (a, b) } else { (b, a) };
        Some(fewer.rooms.iter().any(|room| more.rooms.contains(room)))
    }

    /// Gives an expected user their rooms.
    pub fn settle(&self, user: &UserId, expected: &Arc<Watcher>, rooms: HashSet<RoomNum>) -> Arc<Watcher> {
        let mut state = self.0.lock();
        let stale = AtomicBool::new(expected.stale.load(Ordering::Acquire));
        let watcher = Arc::new(Watcher { rooms, wake: Notify::new(), stale });
        state.remove(user);
        for room in &watcher.rooms {
            state.rooms.entry(*room).or_default().insert(user.to_owned(), watcher.clone());
        }
        state.users.insert(user.to_owned(), watcher.clone());
        // Whoever waits on the expected one looks again and finds this one.
        expected.stale.store(true, Ordering::Release);
        expected.wake.notify_waiters();
        watcher
    }

    /// Wakes everybody whom `changes` concern.
    pub fn wake(&self, changes: &[Announcement]) {
        let state = self.0.lock();
        let mut woken = HashSet::new();
        for change in changes {
            match &change.topic {
                Topic::Room(room) => {
                    if !woken.insert(*room) {
                        continue;
                    }
                    if let Some(users) = state.rooms.get(&RoomNum(*room)) {
                        users.values().for_each(|watcher| watcher.wake.notify_waiters());
                    }
                }
                Topic::User(user) => {
                    if let Some(watcher) = state.users.get(user) {
                        watcher.wake.notify_waiters();
                    }
                }
                Topic::Presence(user) => state.wake_neighbours(user),
                Topic::Devices(user) if state.users.contains_key(user) => state.wake_neighbours(user),
                // Devices log in and upload keys before they sync: whose rooms these are is not known here yet.
                Topic::Devices(_) => state.users.values().for_each(|watcher| watcher.wake.notify_waiters()),
                Topic::Memberships(user) => {
                    if let Some(watcher) = state.users.get(user) {
                        watcher.stale.store(true, Ordering::Release);
                        watcher.wake.notify_waiters();
                    }
                }
            }
        }
    }
}

impl State {
    fn remove(&mut self, user: &UserId) {
        let Some(old) = self.users.remove(user) else { return };
        for room in &old.rooms {
            if let Some(users) = self.rooms.get_mut(room) {
                users.remove(user);
                if users.is_empty() {
                    self.rooms.remove(room);
                }
            }
        }
    }

    /// Wakes everybody who shares a room with `user`.
    fn wake_neighbours(&self, user: &UserId) {
        let Some(watcher) = self.users.get(user) else { return };
        let mut woken = HashSet::new();
        for (neighbour, watcher) in watcher.rooms.iter().filter_map(|room| self.rooms.get(room)).flatten() {
            if woken.insert(neighbour) {
                watcher.wake.notify_waiters();
            }
        }
    }

    /// Drops users whom nobody waits for, when there are too many.
    fn forget_idle(&mut self) {
        if self.users.len() < KEPT {
            return;
        }
        let held_elsewhere = |p: &Arc<Watcher>| Arc::strong_count(p) > 1 + p.rooms.len();
        let idle: Vec<_> = self.users.iter().filter(|(_, p)| !held_elsewhere(p)).map(|(u, _)| u.clone()).collect();
        idle.iter().for_each(|user| self.remove(user));
    }
}
