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
use ruma::{OwnedEventId, events::StateEventType};

use crate::{
    EventRow, Result, RoomError, Rooms, Tip,
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
        let (mut conflict, names) = self.conflict(tx, room, &roots, &differing).await?;
        let starts = conflict.states.iter().flat_map(StateMap::values).cloned().collect();
        let mut pdus = self.auth_closure(tx, room, starts).await?;
        conflict.auth_difference = self.auth_difference(tx, room, &roots, &conflict, &differing, &pdus).await?;
        let full =
            state_res::full_conflicted_set(rules, &mut conflict, |id| pdus.get(id).map(|pdu| pdu.auth_events.clone()))
                .map_err(unresolved)?;
        let needed = state_res::needed_keys(rules, &full, |id| pdus.get(id).cloned()).map_err(unresolved)?;
        for (kind, key) in needed {
            let Some(number) = self.state_key(tx, room, &kind.to_string(), &key).await? else { continue };
            if differing.contains(&number) {
                continue;
            }
            let Some(num) = self.trees(room).get(tx, *base, number).await? else { continue };
            let pdu = self.pdu(tx, room, EventNum(num)).await?;
            conflict.agreed.insert((kind, key), pdu.event_id.clone());
            pdus.insert(pdu.event_id.clone(), pdu);
        }
        let resolved = state_res::resolve_reduced(rules, &conflict, |id| pdus.get(id).cloned()).map_err(unresolved)?;
        tracing::debug!(room = room.0, keys = differing.len(), "state was resolved");
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

    /// What each state has under the differing keys, and the names of these keys.
    async fn conflict(
        &self,
        read: &impl Read,
        room: RoomNum,
        roots: &[Root],
        differing: &BTreeSet<StateKey>,
    ) -> Result<(Conflict, HashMap<StateKey, state_res::StateKey>)> {
        let (mut conflict, mut names) = (Conflict::default(), HashMap::new());
        for root in roots {
            let mut state = StateMap::new();
            for key in differing {
                let Some(num) = self.trees(room).get(read, *root, *key).await? else { continue };
                let pdu = self.pdu(read, room, EventNum(num)).await?;
                let Some(state_key) = &pdu.state_key else { continue };
                let name = (StateEventType::from(pdu.kind.to_string()), state_key.clone());
                names.insert(*key, name.clone());
                state.insert(name, pdu.event_id.clone());
            }
            conflict.states.push(state);
        }
        Ok((conflict, names))
    }

    /// The events that are in the auth chains of some of the states and not of all.
    ///
    /// Only what is below the conflicting events can be that. Most of it is part of the state on which all agree, or
    /// below the conflicting events of each state; only if something else is left, the whole states are walked.
    async fn auth_difference(
        &self,
        read: &impl Read,
        room: RoomNum,
        roots: &[Root],
        conflict: &Conflict,
        differing: &BTreeSet<StateKey>,
        pdus: &Pdus,
    ) -> Result<IdSet> {
        let below: Vec<IdSet> = conflict
            .states
            .iter()
            .map(|state| state_res::full_auth_chain(state, |id| pdus.get(id).map(|pdu| pdu.auth_events.clone())))
            .collect::<Result<_, _>>()
            .map_err(unresolved)?;
        let difference = state_res::auth_difference(&below);
        let conflicted = state_res::conflicted_events(&conflict.states);
        let mut agreed = HashSet::new();
        for id in difference.iter().filter(|id| !conflicted.contains(*id)) {
            let Some(pdu) = pdus.get(id) else { continue };
            if self.is_agreed(read, room, roots, differing, pdu).await? {
                agreed.insert(id.clone());
            }
        }
        // What is below an event on which all agree is in all chains.
        let agreed = self.closed_below(agreed, pdus);
        let unsure = difference.iter().any(|id| !conflicted.contains(id) && !agreed.contains(id));
        if !unsure {
            return Ok(difference.into_iter().filter(|id| !agreed.contains(id)).collect());
        }
        let mut chains = Vec::with_capacity(roots.len());
        for root in roots {
            chains.push(self.chain_of_state(read, room, *root).await?);
        }
        let mut whole = HashSet::new();
        for id in difference {
            let Some(at) = self.locate(read, &id).await? else { continue };
            if !chains.iter().all(|chain| chain.contains(&at.num)) {
                whole.insert(id);
            }
        }
        Ok(whole)
    }

    async fn is_agreed(
        &self,
        read: &impl Read,
        room: RoomNum,
        roots: &[Root],
        differing: &BTreeSet<StateKey>,
        pdu: &Pdu,
    ) -> Result<bool> {
        let (Some(root), Some(state_key)) = (roots.first(), &pdu.state_key) else { return Ok(false) };
        let Some(key) = self.state_key(read, room, &pdu.kind.to_string(), state_key).await? else { return Ok(false) };
        if differing.contains(&key) {
            return Ok(false);
        }
        let Some(num) = self.trees(room).get(read, *root, key).await? else { return Ok(false) };
        Ok(self.locate(read, &pdu.event_id).await?.is_some_and(|at| at.num.0 == num))
    }

    fn closed_below(&self, starts: HashSet<OwnedEventId>, pdus: &Pdus) -> HashSet<OwnedEventId> {
        let mut all = HashSet::new();
        let mut open: Vec<_> = starts.into_iter().collect();
        while let Some(id) = open.pop() {
            if let Some(pdu) = pdus.get(&id)
                && all.insert(id)
            {
                open.extend(pdu.auth_events.iter().cloned());
            }
        }
        all
    }

    /// The state `base` with the resolved events under the keys in `names`.
    async fn rebuilt(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        base: Root,
        names: &HashMap<StateKey, state_res::StateKey>,
        resolved: &StateMap,
    ) -> Result<Root> {
        let trees = self.trees(room);
        let (mut root, mut gone) = (base, BTreeSet::new());
        for (key, name) in names {
            match resolved.get(name) {
                Some(id) => {
                    let num = self.event_num(tx, room, id).await?;
                    if trees.get(tx, root, *key).await? != Some(num.0) {
                        root = trees.insert(tx, root, *key, num.0).await?;
                    }
                }
                None if trees.get(tx, root, *key).await?.is_some() => {
                    gone.insert(*key);
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

fn unresolved(error: ResolveError) -> RoomError {
    RoomError::InvalidState(error.to_string())
}
