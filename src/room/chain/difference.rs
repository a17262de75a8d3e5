//! What only some of several states rest on. Room version 2, "Auth difference".

use std::collections::{BTreeSet, HashMap, HashSet};

use kv::Read;

use super::order::{Open, Orders};
use crate::{
    Result, Rooms,
    num::{EventNum, RoomNum},
    state::{Root, StateKey},
    tables::AUTH,
};

/// Most states that are told apart.
const MAX_STATES: usize = 128;
/// Rows read at a time.
const STEP: usize = 1000;

/// States, reduced to what tells them apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a> {
    /// One of the states.
    pub base: Root,
    /// The keys under which not all have the same event.
    pub differing: &'a BTreeSet<StateKey>,
    /// What each has under these keys.
    pub events: &'a [Vec<EventNum>],
}

/// Which of the states an event is below.
#[derive(Debug, Default)]
struct Below(u128);

impl Rooms {
    /// The events that are in the full auth chains of some of the states and not of all; the conflicting events
    /// themselves may be among them.
    ///
    /// What is below conflicting events is followed down until it is below those of all states. Of what is left then,
    /// only what no event rests on that is in all states makes the difference.
    pub(crate) async fn auth_difference(
        &self,
        read: &impl Read,
        room: RoomNum,
        orders: Option<&Orders>,
        sides: Sides<'_>,
    ) -> Result<BTreeSet<EventNum>> {
        let Some(orders) = orders.filter(|_| sides.events.len() <= MAX_STATES) else {
            return self.whole_difference(read, room, sides).await;
        };
        let mut some = self.below_some(read, room, orders, sides).await?;
        let conflicting: HashSet<_> = sides.events.iter().flatten().copied().collect();
        let mut unsure: BTreeSet<_> = some.difference(&conflicting.iter().copied().collect()).copied().collect();
        let doubtful = unsure.clone();
        self.drop_replaced(read, room, orders, sides, &mut unsure).await?;
        self.drop_rested_upon(read, room, orders, sides, &mut unsure).await?;
        for num in doubtful.difference(&unsure) {
            some.remove(num);
        }
        Ok(some)
    }

    /// What is below the conflicting events of some states and not of all.
    async fn below_some(
        &self,
        read: &impl Read,
        room: RoomNum,
        orders: &Orders,
        sides: Sides<'_>,
    ) -> Result<BTreeSet<EventNum>> {
        let all = u128::MAX >> (MAX_STATES - sides.events.len().clamp(1, MAX_STATES));
        let mut open = Open::<Below>::new();
        for (at, events) in sides.events.iter().enumerate() {
            for num in events {
                open.entry(orders, *num).0 |= 1 << at;
            }
        }
        let mut some = BTreeSet::new();
        // All that is still open is below all states, and so is what it rests on.
        while open.any(|below| below.0 != all)
            && let Some((num, mut below)) = open.pop()
        {
            if below.0 != all && self.is_agreed(read, room, sides, num).await? {
                below.0 = all;
            }
            if below.0 != all {
                some.insert(num);
            }
            for (_, allowed_by) in self.auth_edges(read, room, &[num]).await? {
                for next in allowed_by {
                    open.entry(orders, next).0 |= below.0;
                }
            }
        }
        Ok(some)
    }

    /// Drops what the present events under the same keys rest on: most often an event is replaced by one that it
    /// allows.
    async fn drop_replaced(
        &self,
        read: &impl Read,
        room: RoomNum,
        orders: &Orders,
        sides: Sides<'_>,
        unsure: &mut BTreeSet<EventNum>,
    ) -> Result<()> {
        let Some(floor) = unsure.iter().map(|num| orders.of(*num)).min() else { return Ok(()) };
        let mut open = Open::<()>::new();
        for num in unsure.iter() {
            if let Some(present) = self.agreed_like(read, room, sides, *num).await? {
                open.entry(orders, present);
            }
        }
        while let Some((num, ())) = open.pop() {
            unsure.remove(&num);
            for (_, allowed_by) in self.auth_edges(read, room, &[num]).await? {
                for next in allowed_by.into_iter().filter(|next| orders.of(*next) >= floor) {
                    open.entry(orders, next);
                }
            }
        }
        Ok(())
    }

    /// Drops what some event rests on that all states have: reads the rows of what came since.
    async fn drop_rested_upon(
        &self,
        read: &impl Read,
        room: RoomNum,
        orders: &Orders,
        sides: Sides<'_>,
        unsure: &mut BTreeSet<EventNum>,
    ) -> Result<()> {
        let Some(first) = unsure.first().copied() else { return Ok(()) };
        // Events above unsure ones, with those directly below them that are above unsure ones or are that themselves.
        let mut above: HashMap<EventNum, Vec<EventNum>> = HashMap::new();
        let mut again = true;
        while std::mem::take(&mut again) && !unsure.is_empty() {
            let mut rows = read.scan(&AUTH, AUTH.from(&(room,), &(room, first))).by(STEP);
            while let Some(((_, num), allowed_by)) = rows.next().await? {
                self.look_above(read, room, sides, unsure, &mut above, (num, allowed_by.0)).await?;
                if unsure.is_empty() {
                    return Ok(());
                }
            }
            // Late events have smaller numbers than what allows them: what they allow is looked at once more.
            let late: Vec<_> = orders.late().filter(|num| !above.contains_key(num)).collect();
            for late in self.auth_edges(read, room, &late).await? {
                again |= self.look_above(read, room, sides, unsure, &mut above, late).await?;
            }
        }
        Ok(())
    }

    /// Looks at one event: whether it is above unsure ones, and if it is in all states, these are sure. Answers whether
    /// it is a new one above them.
    async fn look_above(
        &self,
        read: &impl Read,
        room: RoomNum,
        sides: Sides<'_>,
        unsure: &mut BTreeSet<EventNum>,
        above: &mut HashMap<EventNum, Vec<EventNum>>,
        (num, mut allowed_by): (EventNum, Vec<EventNum>),
    ) -> Result<bool> {
        allowed_by.retain(|below| unsure.contains(below) || above.contains_key(below));
        if allowed_by.is_empty() {
            return Ok(false);
        }
        let is_new = above.insert(num, allowed_by).is_none();
        if is_new && self.is_agreed(read, room, sides, num).await? {
            let mut open = vec![num];
            while let Some(num) = open.pop() {
                unsure.remove(&num);
                open.extend(above.remove(&num).unwrap_or_default());
            }
        }
        Ok(is_new)
    }

    /// The event that all states have under the key of this one, if they agree on one.
    async fn agreed_like(
        &self,
        read: &impl Read,
        room: RoomNum,
        sides: Sides<'_>,
        num: EventNum,
    ) -> Result<Option<EventNum>> {
        let pdu = self.pdu(read, room, num).await?;
        let Some(state_key) = &pdu.state_key else { return Ok(None) };
        let Some(key) = self.state_key(read, room, &pdu.kind.to_string(), state_key).await? else { return Ok(None) };
        if sides.differing.contains(&key) {
            return Ok(None);
        }
        Ok(self.trees(room).get(read, sides.base, key).await?.map(EventNum))
    }

    async fn is_agreed(&self, read: &impl Read, room: RoomNum, sides: Sides<'_>, num: EventNum) -> Result<bool> {
        Ok(self.agreed_like(read, room, sides, num).await? == Some(num))
    }

    /// As [`Rooms::auth_difference`], from the whole chains.
    async fn whole_difference(&self, read: &impl Read, room: RoomNum, sides: Sides<'_>) -> Result<BTreeSet<EventNum>> {
        let entries = self.trees(room).entries(read, sides.base, 0..StateKey::MAX).await?;
        let agreed = entries.iter().filter(|(key, _)| !sides.differing.contains(key)).map(|(_, num)| EventNum(*num));
        let agreed: Vec<_> = agreed.collect();
        let mut in_all: HashSet<_> = self.auth_chain(read, room, &agreed).await?.into_iter().collect();
        in_all.extend(agreed);
        let mut counts: HashMap<EventNum, usize> = HashMap::new();
        for events in sides.events {
            let mut chain: BTreeSet<_> = self.auth_chain(read, room, events).await?.into_iter().collect();
            chain.extend(events);
            for num in chain {
                *counts.entry(num).or_default() += 1;
            }
        }
        let some = counts.into_iter().filter(|(num, count)| *count < sides.events.len() && !in_all.contains(num));
        Ok(some.map(|(num, _)| num).collect())
    }
}
