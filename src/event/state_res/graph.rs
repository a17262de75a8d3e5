//! Sets of events along `auth_events`. The functions take that relation as a closure, so that an
//! index can answer and no event need be loaded.

use std::collections::{HashMap, HashSet};

use ruma::{EventId, OwnedEventId};

use super::{IdSet, ResolveError, StateMap};

/// The full auth chain of a state: its events, their auth events, and so on. The events of the
/// state itself belong to it, as in Synapse, so that what all states have is in no difference.
///
/// # Errors
/// [`ResolveError::Missing`] when the closure does not know an event.
pub fn full_auth_chain(
    state: &StateMap,
    auth_events: impl Fn(&EventId) -> Option<Vec<OwnedEventId>>,
) -> Result<IdSet, ResolveError> {
    let mut chain = IdSet::new();
    let mut open: Vec<OwnedEventId> = state.values().cloned().collect();
    while let Some(id) = open.pop() {
        if chain.contains(&id) {
            continue;
        }
        open.extend(auth_events(&id).ok_or_else(|| ResolveError::Missing(id.clone()))?);
        chain.insert(id);
    }
    Ok(chain)
}

/// The events that are in some of the chains and not in all.
#[must_use]
pub fn auth_difference(chains: &[IdSet]) -> IdSet {
    let mut counts: HashMap<&OwnedEventId, usize> = HashMap::new();
    for id in chains.iter().flatten() {
        *counts.entry(id).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count < chains.len()).map(|(id, _)| id.clone()).collect()
}

/// The conflicted state subgraph: every event on a path along `auth_events` from one conflicted
/// event to another, ends included.
///
/// # Errors
/// [`ResolveError::Missing`] when the closure does not know an event.
pub fn conflicted_subgraph(
    conflicted: &IdSet,
    auth_events: impl Fn(&EventId) -> Option<Vec<OwnedEventId>>,
) -> Result<IdSet, ResolveError> {
    // Down: everything below a conflicted event, remembering who points at what.
    let mut pointed_at_by: HashMap<OwnedEventId, Vec<OwnedEventId>> = HashMap::new();
    let mut seen: HashSet<OwnedEventId> = HashSet::new();
    let mut open: Vec<OwnedEventId> = conflicted.iter().cloned().collect();
    while let Some(id) = open.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for below in auth_events(&id).ok_or_else(|| ResolveError::Missing(id.clone()))? {
            pointed_at_by.entry(below.clone()).or_default().push(id.clone());
            open.push(below);
        }
    }
    // Up again from the conflicted ones: whatever is met lies between two of them.
    let mut subgraph = IdSet::new();
    let mut open: Vec<&OwnedEventId> = conflicted.iter().collect();
    while let Some(id) = open.pop() {
        if subgraph.insert(id.clone()) {
            open.extend(pointed_at_by.get(id).into_iter().flatten());
        }
    }
    Ok(subgraph)
}
