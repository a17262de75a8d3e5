//! One state out of several, reading only the part in which they differ. Room versions, "State resolution".

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use event::{
    Pdu, RoomVersionRules,
    state_res::{self, Conflict, IdSet, ResolveError, StateMap},
};
use kv::{Read, Tx};
use ruma::{
    OwnedEventId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::StateResolutionVersion,
};

use crate::{
    EventRow, Result, RoomError, Rooms, Tip,
    chain::Sides,
    num::{EventNum, RoomNum},
    row::{Extremity, Verdict},
    state::{Root, StateKey, keys},
};

/// What is known of what came before an event.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The states after its previous events.
    pub states: Vec<Root>,
    /// Previous events that are not here.
    pub missing: Vec<OwnedEventId>,
}

type Pdus = HashMap<OwnedEventId, Arc<Pdu>>;

impl Rooms {
    /// The state with an event, written so that others can build on it.
    pub(super) async fn state_with(&self, tx: &mut Tx, room: RoomNum, num: EventNum, row: &EventRow) -> Result<Root> {
        if matches!(row.meta.verdict, Verdict::RejectedByAuth(_) | Verdict::RejectedByState(_)) {
            return Ok(row.meta.before);
        }
        let Some(state_key) = row.event.state_key() else { return Ok(row.meta.before) };
        let key = keys::intern(tx, room, row.event.kind(), state_key).await?;
        Ok(self.trees(room).insert(tx, row.meta.before, key, num.0).await?)
    }

    /// Gives the state key of an event its number, for states that will hold the event.
    pub(super) async fn intern_key(&self, tx: &mut Tx, room: RoomNum, pdu: &Pdu) -> Result<()> {
        if let Some(state_key) = &pdu.state_key {
            keys::intern(tx, room, &pdu.kind.to_string(), state_key).await?;
        }
        Ok(())
    }

    /// The state that consists of these events.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`].
    pub(super) async fn state_of(&self, tx: &mut Tx, room: RoomNum, ids: &[OwnedEventId]) -> Result<Root> {
        let mut entries = BTreeMap::new();
        for id in ids {
            let num = self.event_num(tx, room, id).await?;
            let row = self.row(tx, room, num).await?;
            // What its own auth events forbid is in no state, whatever another server says.
            if matches!(row.meta.verdict, Verdict::RejectedByAuth(_) | Verdict::RejectedByState(_)) {
                continue;
            }
            let Some(state_key) = row.event.state_key() else { continue };
            entries.insert(keys::intern(tx, room, row.event.kind(), state_key).await?, num.0);
        }
        let entries: Vec<_> = entries.into_iter().collect();
        Ok(self.trees(room).build(tx, &entries))
    }

    /// The room's state once `extremities` are its ends; `num`, which is not stored yet, has the state `after`.
    #[expect(clippy::too_many_arguments, reason = "the room before and after the event")]
    pub(super) async fn state_of_extremities(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        rules: &RoomVersionRules,
        tip: &Tip,
        extremities: &[Extremity],
        num: EventNum,
        after: Root,
    ) -> Result<Root> {
        let mut states = Vec::with_capacity(extremities.len());
        for extremity in extremities {
            if extremity.num == num {
                states.push(after);
                continue;
            }
            let row = self.row(tx, room, extremity.num).await?;
            states.push(self.state_with(tx, room, extremity.num, &row).await?);
        }
        if states.is_empty() {
            return Ok(tip.state);
        }
        self.resolve(tx, room, rules, &states).await
    }

    /// Resolves states into one.
    pub(super) async fn resolve(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        rules: &RoomVersionRules,
        states: &[Root],
    ) -> Result<Root> {
        let roots: Vec<Root> = states.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let Some((base, others)) = roots.split_first() else { return Ok(Root::EMPTY) };
        if others.is_empty() {
            return Ok(*base);
        }
        let differing = self.differing(tx, room, *base, others).await?;
        let events = self.events_under(tx, room, &roots, &differing).await?;
        let sides = Sides { base: *base, differing: &differing, events: &events };
        let mut pdus = Pdus::new();
        let mut conflict = self.conflict(tx, room, rules, sides, &mut pdus).await?;
        let names = names(&conflict);
        let full =
            state_res::full_conflicted_set(rules, &mut conflict, |id| pdus.get(id).map(|pdu| pdu.auth_events.clone()))
                .map_err(unresolved)?;
        let needed = state_res::needed_keys(rules, &full, |id| pdus.get(id).cloned()).map_err(unresolved)?;
        let part: Vec<_> = pdus.values().cloned().collect();
        self.load_authority(tx, room, part, &mut pdus).await?;
        self.load_agreed(tx, room, sides, needed, &mut conflict, &mut pdus).await?;
        let resolved = state_res::resolve_reduced(rules, &conflict, |id| pdus.get(id).cloned()).map_err(unresolved)?;
        tracing::debug!(room = room.0, keys = differing.len(), loaded = pdus.len(), "state was resolved");
        self.rebuilt(tx, room, *base, &names, &resolved).await
    }

    /// The keys for which not all of these states have the same event.
    async fn differing(
        &self,
        read: &impl Read,
        room: RoomNum,
        base: Root,
        others: &[Root],
    ) -> Result<BTreeSet<StateKey>> {
        let mut keys = BTreeSet::new();
        for other in others {
            let differences = self.trees(room).differences(read, base, *other).await?;
            keys.extend(differences.into_iter().map(|difference| difference.key));
        }
        Ok(keys)
    }

    /// What each state has under the differing keys.
    async fn events_under(
        &self,
        read: &impl Read,
        room: RoomNum,
        roots: &[Root],
        differing: &BTreeSet<StateKey>,
    ) -> Result<Vec<Vec<EventNum>>> {
        let mut all = Vec::with_capacity(roots.len());
        for root in roots {
            let mut events = Vec::with_capacity(differing.len());
            for key in differing {
                events.extend(self.trees(room).get(read, *root, *key).await?.map(EventNum));
            }
            all.push(events);
        }
        Ok(all)
    }

    /// The conflict between states, with the events that take part, which are put into `pdus`.
    async fn conflict(
        &self,
        read: &impl Read,
        room: RoomNum,
        rules: &RoomVersionRules,
        sides: Sides<'_>,
        pdus: &mut Pdus,
    ) -> Result<Conflict> {
        let mut conflict = Conflict::default();
        for events in sides.events {
            let mut state = StateMap::new();
            for num in events {
                let pdu = self.pdu(read, room, *num).await?;
                let Some(state_key) = &pdu.state_key else { continue };
                state.insert((StateEventType::from(pdu.kind.to_string()), state_key.clone()), pdu.event_id.clone());
                pdus.insert(pdu.event_id.clone(), pdu);
            }
            conflict.states.push(state);
        }
        let StateResolutionVersion::V2(v2) = &rules.state_res else { return Ok(conflict) };
        let orders = self.orders(read, room).await?;
        for num in self.auth_difference(read, room, orders.as_ref(), sides).await? {
            let pdu = self.pdu(read, room, num).await?;
            conflict.auth_difference.insert(pdu.event_id.clone());
            pdus.insert(pdu.event_id.clone(), pdu);
        }
        if v2.consider_conflicted_state_subgraph {
            let ends = sides.events.iter().flatten().copied().collect();
            let mut between = IdSet::new();
            for num in self.auth_subgraph(read, room, orders.as_ref(), &ends).await? {
                let pdu = self.pdu(read, room, num).await?;
                between.insert(pdu.event_id.clone());
                pdus.insert(pdu.event_id.clone(), pdu);
            }
            conflict.subgraph = Some(between);
        }
        Ok(conflict)
    }

    /// Puts the auth events of `open` into `pdus`, and those of each power levels event among them: by these, events are
    /// sorted.
    async fn load_authority(
        &self,
        read: &impl Read,
        room: RoomNum,
        mut open: Vec<Arc<Pdu>>,
        pdus: &mut Pdus,
    ) -> Result<()> {
        while let Some(pdu) = open.pop() {
            for id in &pdu.auth_events {
                if pdus.contains_key(id) {
                    continue;
                }
                // What is not here is left out: resolution says so if it matters.
                let Some(at) = self.locate(read, id).await?.filter(|at| at.room == room) else { continue };
                let pdu = self.pdu(read, room, at.num).await?;
                if pdu.kind == TimelineEventType::RoomPowerLevels {
                    open.push(pdu.clone());
                }
                pdus.insert(id.clone(), pdu);
            }
        }
        Ok(())
    }

    /// Loads what all states have under the keys that the conflict needs.
    async fn load_agreed(
        &self,
        read: &impl Read,
        room: RoomNum,
        sides: Sides<'_>,
        needed: HashSet<state_res::StateKey>,
        conflict: &mut Conflict,
        pdus: &mut Pdus,
    ) -> Result<()> {
        for (kind, key) in needed {
            let Some(number) = self.state_key(read, room, &kind.to_string(), &key).await? else { continue };
            if sides.differing.contains(&number) {
                continue;
            }
            let Some(num) = self.trees(room).get(read, sides.base, number).await? else { continue };
            let pdu = self.pdu(read, room, EventNum(num)).await?;
            if pdu.kind == TimelineEventType::RoomPowerLevels {
                self.load_authority(read, room, vec![pdu.clone()], pdus).await?;
            }
            conflict.agreed.insert((kind, key), pdu.event_id.clone());
            pdus.insert(pdu.event_id.clone(), pdu);
        }
        Ok(())
    }

    /// The state `base` with the resolved events under the keys in `names`.
    async fn rebuilt(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        base: Root,
        names: &HashSet<state_res::StateKey>,
        resolved: &StateMap,
    ) -> Result<Root> {
        let trees = self.trees(room);
        let (mut root, mut gone) = (base, BTreeSet::new());
        for name in names {
            let Some(key) = self.state_key(tx, room, &name.0.to_string(), &name.1).await? else { continue };
            match resolved.get(name) {
                Some(id) => {
                    let num = self.event_num(tx, room, id).await?;
                    if trees.get(tx, root, key).await? != Some(num.0) {
                        root = trees.insert(tx, root, key, num.0).await?;
                    }
                }
                None if trees.get(tx, root, key).await?.is_some() => {
                    gone.insert(key);
                }
                None => {}
            }
        }
        if gone.is_empty() {
            return Ok(root);
        }
        let mut entries = trees.entries(tx, root, 0..StateKey::MAX).await?;
        entries.retain(|(key, _)| !gone.contains(key));
        Ok(trees.build(tx, &entries))
    }
}

/// The keys under which states differ.
fn names(conflict: &Conflict) -> HashSet<state_res::StateKey> {
    conflict.states.iter().flat_map(StateMap::keys).cloned().collect()
}

fn unresolved(error: ResolveError) -> RoomError {
    RoomError::InvalidState(error.to_string())
}
