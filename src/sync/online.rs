//! Who is waiting for news, and which rooms can bring them some.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
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
    wake: Arc<Notify>,
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

/// A user whose rooms are about to be read.
#[derive(Debug)]
pub struct Expected {
    wake: Arc<Notify>,
    changes: u64,
}

#[derive(Debug, Default)]
struct User {
    /// One for all requests of the user, so that none waits in vain when another has read the rooms anew.
    wake: Arc<Notify>,
    /// How often memberships changed.
    changes: u64,
    /// The rooms, with the number of changes before they were read.
    known: Option<(u64, Arc<Watcher>)>,
}

impl User {
    /// The rooms, if they did not change since they were read.
    fn fresh(&self) -> Option<&Arc<Watcher>> {
        self.known.as_ref().filter(|(changes, _)| *changes == self.changes).map(|(_, watcher)| watcher)
    }

    /// Whether no request reads the rooms, uses them or waits.
    fn is_idle(&self) -> bool {
        let (idle, own) = match &self.known {
            Some((_, watcher)) => (Arc::strong_count(watcher) == 1, 2 + watcher.rooms.len()),
            None => (true, 1),
        };
        idle && Arc::strong_count(&self.wake) == own
    }
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<OwnedUserId, User>,
    rooms: HashMap<RoomNum, HashMap<OwnedUserId, Arc<Notify>>>,
}

/// The users who sync.
#[derive(Debug, Default)]
pub struct Online {
    state: Mutex<State>,
    /// Users of whom something changed and whose rooms are not known here: those who share one have to be found first.
    strangers: Mutex<HashSet<OwnedUserId>>,
    /// Rung when there are strangers.
    bell: Notify,
}

impl Online {
    /// The user, if their rooms are known and did not change.
    pub fn find(&self, user: &UserId) -> Option<Arc<Watcher>> {
        self.state.lock().users.get(user)?.fresh().cloned()
    }

    /// Notes a user before their rooms are read, so that a change meanwhile makes what is then
    /// [`Online::settle`]d out of date.
    pub fn expect(&self, user: &UserId) -> Expected {
        let mut state = self.state.lock();
        state.forget_idle();
        let User { wake, changes, .. } = state.users.entry(user.to_owned()).or_default();
        Expected { wake: wake.clone(), changes: *changes }
    }

    /// Whether two users share a room; `None` if the rooms of one of them are not known here.
    pub fn share_a_room(&self, a: &UserId, b: &UserId) -> Option<bool> {
        let state = self.state.lock();
        let (a, b) = (state.users.get(a)?.fresh()?, state.users.get(b)?.fresh()?);
        let (fewer, more) = if a.rooms.len() < b.rooms.len() { (a, b) } else { (b, a) };
        Some(fewer.rooms.iter().any(|room| more.rooms.contains(room)))
    }

    /// Gives an expected user their rooms.
    pub fn settle(&self, user: &UserId, expected: Expected, rooms: HashSet<RoomNum>) -> Arc<Watcher> {
        let Expected { wake, changes } = expected;
        let watcher = Arc::new(Watcher { rooms, wake });
        let mut state = self.state.lock();
        let State { users, rooms } = &mut *state;
        let Some(known) = users.get_mut(user).map(|user| &mut user.known) else { return watcher };
        if known.as_ref().is_some_and(|(newer, _)| *newer > changes) {
            return watcher;
        }
        if let Some((_, old)) = known.replace((changes, watcher.clone())) {
            leave(rooms, user, &old);
        }
        for room in &watcher.rooms {
            rooms.entry(*room).or_default().insert(user.to_owned(), watcher.wake.clone());
        }
        // Who waits may have been waiting for other rooms.
        watcher.wake.notify_waiters();
        watcher
    }

    /// Wakes everybody whom `changes` concern.
    pub fn wake(&self, changes: &[Announcement]) {
        let mut state = self.state.lock();
        let (mut woken, mut strangers) = (HashSet::new(), HashSet::new());
        for change in changes {
            match &change.topic {
                Topic::Room(room) | Topic::Receipts(room) => {
                    if !woken.insert(*room) {
                        continue;
                    }
                    if let Some(users) = state.rooms.get(&RoomNum(*room)) {
                        users.values().for_each(|wake| wake.notify_waiters());
                    }
                }
                Topic::User(user) => {
                    if let Some(user) = state.users.get(user) {
                        user.wake.notify_waiters();
                    }
                }
                Topic::Presence(user) | Topic::Devices(user) => {
                    if state.users.get(user).is_some_and(|user| user.fresh().is_some()) {
                        state.wake_neighbours(user);
                    } else {
                        strangers.insert(user.clone());
                    }
                }
                Topic::Memberships(user) => {
                    if let Some(user) = state.users.get_mut(user) {
                        user.changes += 1;
                        user.wake.notify_waiters();
                    }
                }
            }
        }
        drop(state);
        if !strangers.is_empty() {
            self.strangers.lock().extend(strangers);
            self.bell.notify_one();
        }
    }

    /// Waits for users of whom something changed and whose rooms are not known here.
    pub async fn strangers(&self) -> HashSet<OwnedUserId> {
        loop {
            let strangers = std::mem::take(&mut *self.strangers.lock());
            if !strangers.is_empty() {
                return strangers;
            }
            self.bell.notified().await;
        }
    }

    /// Wakes everybody in one of these rooms, and `user`.
    pub fn wake_in(&self, rooms: &[RoomNum], user: &UserId) {
        let state = self.state.lock();
        let inside = rooms.iter().filter_map(|room| state.rooms.get(room)).flat_map(HashMap::values);
        let own = state.users.get(user).map(|user| &user.wake);
        inside.chain(own).for_each(|wake| wake.notify_waiters());
    }
}

/// Takes a user out of the rooms that they were known to be in.
fn leave(rooms: &mut HashMap<RoomNum, HashMap<OwnedUserId, Arc<Notify>>>, user: &UserId, old: &Watcher) {
    for room in &old.rooms {
        if let Some(users) = rooms.get_mut(room) {
            users.remove(user);
            if users.is_empty() {
                rooms.remove(room);
            }
        }
    }
}

impl State {
    /// Wakes everybody who shares a room with `user`.
    fn wake_neighbours(&self, user: &UserId) {
        let Some((_, watcher)) = self.users.get(user).and_then(|user| user.known.as_ref()) else { return };
        let mut woken = HashSet::new();
        for (neighbour, wake) in watcher.rooms.iter().filter_map(|room| self.rooms.get(room)).flatten() {
            if woken.insert(neighbour) {
                wake.notify_waiters();
            }
        }
    }

    /// Drops users whom nobody waits for, when there are too many.
    fn forget_idle(&mut self) {
        if self.users.len() < KEPT {
            return;
        }
        let idle: Vec<_> = self.users.iter().filter(|(_, user)| user.is_idle()).map(|(id, _)| id.clone()).collect();
        for id in idle {
            if let Some((_, watcher)) = self.users.remove(&id).and_then(|user| user.known) {
                leave(&mut self.rooms, &id, &watcher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use kv::{Stamp, WriterId};

    use super::*;

    fn alice() -> OwnedUserId {
        "@alice:hearth.test".try_into().unwrap()
    }

    fn bob() -> OwnedUserId {
        "@bob:hearth.test".try_into().unwrap()
    }

    fn tell(online: &Online, topic: Topic) {
        online.wake(&[Announcement { topic, stamp: Stamp { writer: WriterId(1), n: 1 } }]);
    }

    fn in_rooms(online: &Online, user: &UserId, rooms: &[u64]) -> Arc<Watcher> {
        online.settle(user, online.expect(user), rooms.iter().copied().map(RoomNum).collect())
    }

    #[test]
    fn rooms_are_not_known_before_they_are_read() {
        let online = Online::default();
        let expected = online.expect(&alice());
        assert!(online.find(&alice()).is_none());
        in_rooms(&online, &bob(), &[1]);
        assert_eq!(online.share_a_room(&alice(), &bob()), None);
        online.settle(&alice(), expected, HashSet::from([RoomNum(1)]));
        assert_eq!(online.share_a_room(&alice(), &bob()), Some(true));
    }

    #[test]
    fn rooms_that_were_read_before_a_change_are_out_of_date_whoever_read_them() {
        let online = Online::default();
        let (first, second) = (online.expect(&alice()), online.expect(&alice()));
        tell(&online, Topic::Memberships(alice()));
        online.settle(&alice(), first, HashSet::new());
        assert!(online.find(&alice()).is_none());
        let newest = in_rooms(&online, &alice(), &[2]);
        online.settle(&alice(), second, HashSet::new());
        assert!(Arc::ptr_eq(&online.find(&alice()).unwrap(), &newest), "what is newer stays");
    }

    #[test]
    fn who_waits_is_woken_by_the_rooms_that_another_request_read() {
        let online = Online::default();
        let old = in_rooms(&online, &alice(), &[1]);
        tell(&online, Topic::Memberships(alice()));
        in_rooms(&online, &alice(), &[1, 2]);
        let mut waits = Box::pin(old.changed());
        assert!((&mut waits).now_or_never().is_none());
        tell(&online, Topic::Room(2));
        assert!(waits.now_or_never().is_some());
    }

    #[test]
    fn somebody_whose_rooms_are_not_known_is_a_stranger_once_and_wakes_their_rooms() {
        let online = Online::default();
        let bob = in_rooms(&online, &bob(), &[1]);
        let mut waits = Box::pin(bob.changed());
        let _expected = online.expect(&alice());
        tell(&online, Topic::Devices(alice()));
        tell(&online, Topic::Presence(alice()));
        assert!((&mut waits).now_or_never().is_none());
        assert_eq!(online.strangers().now_or_never(), Some(HashSet::from([alice()])));
        assert_eq!(online.strangers().now_or_never(), None);
        online.wake_in(&[RoomNum(2)], &alice());
        assert!((&mut waits).now_or_never().is_none());
        online.wake_in(&[RoomNum(1)], &alice());
        assert!(waits.now_or_never().is_some());
    }

    #[test]
    fn only_those_who_neither_read_nor_wait_are_idle() {
        let online = Online::default();
        let idle = || online.state.lock().users[&alice()].is_idle();
        let expected = online.expect(&alice());
        assert!(!idle(), "reads");
        let watcher = online.settle(&alice(), expected, HashSet::from([RoomNum(1)]));
        assert!(!idle(), "waits");
        tell(&online, Topic::Memberships(alice()));
        drop(in_rooms(&online, &alice(), &[1, 2]));
        assert!(!idle(), "waits with the rooms before");
        drop(watcher);
        assert!(idle());
    }
}
