//! Resolution that reads only what can matter: the entries in which the states differ, the events
//! that only some of their auth chains have, and of the state that all agree on what authorizes
//! these. The result is the same as that of resolving everything; a property test holds it so.
//!
//! The caller's steps: find the conflicting entries of each state and the auth difference (from an
//! index), ask [`full_conflicted_set`] which events take part, load them and their auth events, ask
//! [`needed_keys`] which agreed entries to look up, and call [`resolve_reduced`].

use std::{collections::HashSet, sync::Arc};

use ruma::{
    EventId, OwnedEventId,
    events::StateEventType,
    room_version_rules::{RoomVersionRules, StateResolutionVersion},
};

use super::{IdSet, ResolveError, StateKey, StateMap, conflicted_subgraph, resolve_with};
use crate::{auth::auth_types, pdu::Pdu};

/// Two or more states, reduced to what resolving them takes.
#[derive(Debug, Clone, Default)]
pub struct Conflict {
    /// Of each state the entries under keys for which not all states have the same event.
    pub states: Vec<StateMap>,
    /// What all states have under [`needed_keys`]. More entries do no harm.
    pub agreed: StateMap,
    /// What [`super::auth_difference`] says for the full auth chains of the states.
    pub auth_difference: IdSet,
    /// The conflicted state subgraph if known, for room version 12; else it is computed.
    pub subgraph: Option<IdSet>,
}

/// Splits whole states into the entries in which each differs from the others, and those on which
/// all agree.
#[must_use]
pub fn split(states: &[StateMap]) -> (Vec<StateMap>, StateMap) {
    let Some((first, others)) = states.split_first() else { return (Vec::new(), StateMap::new()) };
    let mut agreed = StateMap::new();
    for (key, id) in first {
        if others.iter().all(|state| state.get(key) == Some(id)) {
            agreed.insert(key.clone(), id.clone());
        }
    }
    let differing = states
        .iter()
        .map(|state| {
            let entries = state.iter().filter(|(key, _)| !agreed.contains_key(*key));
            entries.map(|(key, id)| (key.clone(), id.clone())).collect()
        })
        .collect();
    (differing, agreed)
}

/// The events of conflicting entries.
#[must_use]
pub fn conflicted_events(states: &[StateMap]) -> IdSet {
    states.iter().flat_map(StateMap::values).cloned().collect()
}

/// All events that take part: those of the conflicting entries, the auth difference, and for room
/// version 12 the conflicted state subgraph, which is remembered in `conflict`.
///
/// # Errors
/// [`ResolveError::Missing`] when the closure does not know an event.
pub fn full_conflicted_set(
    rules: &RoomVersionRules,
    conflict: &mut Conflict,
    auth_events: impl Fn(&EventId) -> Option<Vec<OwnedEventId>>,
) -> Result<IdSet, ResolveError> {
    let mut set = conflicted_events(&conflict.states);
    let StateResolutionVersion::V2(v2) = &rules.state_res else { return Ok(set) };
    if v2.consider_conflicted_state_subgraph {
        let subgraph = match conflict.subgraph.take() {
            Some(known) => known,
            None => conflicted_subgraph(&set, auth_events)?,
        };
        set.extend(subgraph.iter().cloned());
        conflict.subgraph = Some(subgraph);
    }
    set.extend(conflict.auth_difference.iter().cloned());
    Ok(set)
}

/// The keys whose agreed entries belong into [`Conflict::agreed`]: what authorizes the events of the
/// full conflicted set, and the keys of these events themselves, as agreed entries prevail.
///
/// # Errors
/// [`ResolveError::Missing`] when the closure does not know an event.
pub fn needed_keys(
    rules: &RoomVersionRules,
    full_conflicted_set: &IdSet,
    fetch_event: impl Fn(&EventId) -> Option<Arc<Pdu>>,
) -> Result<HashSet<StateKey>, ResolveError> {
    let mut keys = HashSet::new();
    // The rules ask for the create event even in versions where no event names it.
    keys.insert((StateEventType::RoomCreate, String::new()));
    keys.insert((StateEventType::RoomPowerLevels, String::new()));
    for id in full_conflicted_set {
        let pdu = fetch_event(id).ok_or_else(|| ResolveError::Missing(id.clone()))?;
        // An event without them fails authorization, so that it needs none.
        let types = auth_types(&pdu.kind, &pdu.sender, pdu.state_key.as_deref(), &pdu.content, rules);
        keys.extend(types.unwrap_or_default());
        if let Some(state_key) = &pdu.state_key {
            keys.insert((StateEventType::from(pdu.kind.to_string()), state_key.clone()));
        }
    }
    Ok(keys)
}

/// Resolves a conflict. The resolved state is the result together with everything that the states
/// agree on; the two have no key in common.
///
/// # Errors
/// [`ResolveError`]
pub fn resolve_reduced(
    rules: &RoomVersionRules,
    conflict: &Conflict,
    fetch_event: impl Fn(&EventId) -> Option<Arc<Pdu>>,
) -> Result<StateMap, ResolveError> {
    let states: Vec<StateMap> = conflict
        .states
        .iter()
        .map(|state| {
            let mut whole = conflict.agreed.clone();
            whole.extend(state.iter().map(|(key, id)| (key.clone(), id.clone())));
            whole
        })
        .collect();
    // ruma takes the difference of chains; one with all of it beside an empty one makes the same.
    let chains = vec![conflict.auth_difference.clone(), IdSet::new()];
    let mut resolved = resolve_with(rules, &states, chains, conflict.subgraph.as_ref(), fetch_event)?;
    resolved.retain(|key, _| !conflict.agreed.contains_key(key));
    Ok(resolved)
}
