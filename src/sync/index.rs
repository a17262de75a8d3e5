//! What changed when, in memory: the last change of each room and user, in order of position.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
};

use kv::{Announcement, Positions, Stamp, Topic, WriterId};
use parking_lot::RwLock;
use room::RoomNum;
use ruma::{OwnedUserId, UserId};

/// Rooms, and as many users, whose last change is kept.
const KEPT: usize = 50_000;

/// The last change of each thing, oldest forgotten first.
#[derive(Debug)]
struct Latest<T> {
    at: HashMap<T, u64>,
    order: BTreeSet<(u64, T)>,
    /// Changes up to here may have been forgotten.
    floor: u64,
}

impl<T: Clone + Ord + Hash> Latest<T> {
    fn new(floor: u64) -> Self {
        Self { at: HashMap::new(), order: BTreeSet::new(), floor }
    }

    fn record(&mut self, what: T, n: u64) {
        if let Some(old) = self.at.insert(what.clone(), n) {
            self.order.remove(&(old, what.clone()));
        }
        self.order.insert((n, what));
        if self.at.len() > KEPT
            && let Some((n, what)) = self.order.pop_first()
        {
            self.at.remove(&what);
            self.floor = n;
        }
    }

    /// What changed after `n`, newest first.
    fn since(&self, n: u64) -> impl Iterator<Item = &T> {
        self.order.iter().rev().take_while(move |(at, _)| *at > n).map(|(_, what)| what)
    }

    fn changed(&self, what: &T, after: u64) -> bool {
        self.at.get(what).is_some_and(|n| *n > after)
    }
}

#[derive(Debug)]
struct State {
    rooms: Latest<RoomNum>,
    receipts: Latest<RoomNum>,
    users: Latest<OwnedUserId>,
    presence: Latest<OwnedUserId>,
    devices: Latest<OwnedUserId>,
}

/// Answers what changed since a position from memory; `None` where it does not reach back, and the caller asks
/// the database instead.
#[derive(Debug)]
pub struct ChangeIndex {
    writer: WriterId,
    state: RwLock<State>,
}

impl ChangeIndex {
    /// An index of what `writer` publishes after `now`.
    pub fn new(writer: WriterId, now: &Positions) -> Self {
        let floor = now.of(writer);
        let state = State {
            rooms: Latest::new(floor),
            receipts: Latest::new(floor),
            users: Latest::new(floor),
            presence: Latest::new(floor),
            devices: Latest::new(floor),
        };
        Self { writer, state: RwLock::new(state) }
    }

    /// Takes note of changes, in order of position.
    pub fn record(&self, changes: &[Announcement]) {
        let mut state = self.state.write();
        for Announcement { topic, stamp: Stamp { n, .. } } in changes {
            match topic {
                Topic::Room(room) => state.rooms.record(RoomNum(*room), *n),
                Topic::Receipts(room) => {
                    state.rooms.record(RoomNum(*room), *n);
                    state.receipts.record(RoomNum(*room), *n);
                }
                Topic::User(user) | Topic::Memberships(user) => state.users.record(user.clone(), *n),
                Topic::Presence(user) => state.presence.record(user.clone(), *n),
                Topic::Devices(user) => state.devices.record(user.clone(), *n),
            }
        }
    }

    /// Those of `rooms` that changed after `since` up to `upto`; costs the smaller of their number and that of the rooms
    /// that changed.
    pub fn changed_among(
        &self,
        rooms: &HashSet<RoomNum>,
        since: &Positions,
        upto: &Positions,
    ) -> Option<HashSet<RoomNum>> {
        let after = self.reach(since, upto)?;
        let state = self.state.read();
        if after < state.rooms.floor {
            return None;
        }
        let mut found = HashSet::new();
        for (seen, room) in state.rooms.since(after).enumerate() {
            if seen > rooms.len() {
                return Some(rooms.iter().filter(|room| state.rooms.changed(room, after)).copied().collect());
            }
            if rooms.contains(room) {
                found.insert(*room);
            }
        }
        Some(found)
    }

    /// Whether nothing changed for a user who is in `rooms`; costs the smaller of their number and that of the
    /// rooms that changed.
    pub fn is_quiet(
        &self,
        user: &UserId,
        rooms: &HashSet<RoomNum>,
        since: &Positions,
        upto: &Positions,
    ) -> Option<bool> {
        let after = self.reach(since, upto)?;
        let state = self.state.read();
        if after < state.rooms.floor || after < state.users.floor || after < state.devices.floor {
            return None;
        }
        let of_others = |latest: &Latest<OwnedUserId>| latest.since(after).next().is_some();
        if state.users.changed(&user.to_owned(), after) || of_others(&state.presence) || of_others(&state.devices) {
            return Some(false);
        }
        for (seen, room) in state.rooms.since(after).enumerate() {
            if seen > rooms.len() {
                return Some(!rooms.iter().any(|room| state.rooms.changed(room, after)));
            }
            if rooms.contains(room) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Whether something changed for `user` alone after `since`.
    pub fn user(&self, user: &UserId, since: &Positions, upto: &Positions) -> Option<bool> {
        let after = self.reach(since, upto)?;
        let state = self.state.read();
        (after >= state.users.floor).then(|| state.users.at.get(user).is_some_and(|n| *n > after))
    }

    /// Whether public receipts of a room moved after `since`.
    pub fn receipts(&self, room: RoomNum, since: &Positions, upto: &Positions) -> Option<bool> {
        let after = self.reach(since, upto)?;
        let state = self.state.read();
        (after >= state.receipts.floor).then(|| state.receipts.changed(&room, after))
    }

    /// Whether anybody's devices changed after `since`.
    pub fn devices(&self, since: &Positions, upto: &Positions) -> Option<bool> {
        let after = self.reach(since, upto)?;
        let state = self.state.read();
        (after >= state.devices.floor).then(|| state.devices.since(after).next().is_some())
    }

    /// The users whose presence changed after `since`; empty where the index does not reach back, as presence
    /// is not worth asking the database.
    pub fn presence(&self, since: &Positions) -> Vec<OwnedUserId> {
        self.state.read().presence.since(since.of(self.writer)).cloned().collect()
    }

    /// The position of our writer to look from; `None` if another writer has moved, whom we do not hear.
    fn reach(&self, since: &Positions, upto: &Positions) -> Option<u64> {
        let others_stand = upto.iter().all(|(writer, n)| writer == self.writer || n == since.of(writer));
        others_stand.then(|| since.of(self.writer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITER: WriterId = WriterId(1);

    fn at(n: u64) -> Positions {
        [(WRITER, n)].into_iter().collect()
    }

    fn rooms(numbers: impl IntoIterator<Item = u64>) -> HashSet<RoomNum> {
        numbers.into_iter().map(RoomNum).collect()
    }

    #[test]
    fn what_changed_is_found_from_either_side() {
        let index = ChangeIndex::new(WRITER, &at(10));
        let change = |n| Announcement { topic: Topic::Room(n), stamp: Stamp { writer: WRITER, n: 10 + n } };
        index.record(&(1..=100).map(change).collect::<Vec<_>>());
        let among = |own: HashSet<RoomNum>, since| index.changed_among(&own, &at(since), &at(110));
        assert_eq!(among(rooms([1, 50, 100, 200]), 59), Some(rooms([50, 100])), "few rooms of many that changed");
        assert_eq!(among(rooms(1..=300), 108), Some(rooms([99, 100])), "many rooms of few that changed");
        assert_eq!(among(rooms([1]), 110), Some(rooms([])));
        assert_eq!(among(rooms([1]), 9), None, "from before what is known");
        let other = [(WRITER, 110), (WriterId(2), 1)].into_iter().collect();
        assert_eq!(index.changed_among(&rooms([1]), &at(109), &other), None, "another writer has moved");
    }
}
