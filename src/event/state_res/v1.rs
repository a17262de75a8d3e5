//! State resolution of room version 1.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use ruma::{EventId, OwnedEventId, events::StateEventType, room_version_rules::RoomVersionRules};
use sha1::{Digest as _, Sha1};

use super::{ResolveError, StateKey, StateMap};
use crate::{auth::authorize, pdu::Pdu};

/// Events that compete for one key, by ascending depth, then descending SHA-1 of the id.
type Rivals = Vec<Arc<Pdu>>;

/// Resolves states. A key that only some states have is no conflict here.
pub(super) fn resolve(
    rules: &RoomVersionRules,
    states: &[StateMap],
    fetch_event: impl Fn(&EventId) -> Option<Arc<Pdu>>,
) -> Result<StateMap, ResolveError> {
    let mut by_key: HashMap<&StateKey, Vec<&OwnedEventId>> = HashMap::new();
    for (key, id) in states.iter().flatten() {
        let ids = by_key.entry(key).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut resolved = StateMap::new();
    let mut conflicts: Vec<(&StateKey, Rivals)> = Vec::new();
    for (key, ids) in by_key {
        if let [id] = ids.as_slice() {
            resolved.insert(key.clone(), (*id).clone());
        } else {
            conflicts.push((key, rivals(&ids, &fetch_event)?));
        }
    }
    for phase in [
        Some(StateEventType::RoomPowerLevels),
        Some(StateEventType::RoomJoinRules),
        Some(StateEventType::RoomMember),
        None,
    ] {
        // Within a phase no result is seen by another, so that their order does not matter.
        let (now, later): (Vec<_>, Vec<_>) =
            conflicts.into_iter().partition(|(key, _)| phase.as_ref().is_none_or(|kind| key.0 == *kind));
        conflicts = later;
        let mut won = Vec::new();
        for (key, rivals) in now {
            let state = View { resolved: &resolved, rules, fetch_event: &fetch_event };
            let winner = if phase.is_some() { state.last_of_a_line(key, &rivals) } else { state.latest(&rivals) };
            won.extend(winner.map(|winner| (key.clone(), winner)));
        }
        resolved.extend(won);
    }
    Ok(resolved)
}

fn rivals(ids: &[&OwnedEventId], fetch_event: impl Fn(&EventId) -> Option<Arc<Pdu>>) -> Result<Rivals, ResolveError> {
    let mut rivals = Vec::with_capacity(ids.len());
    for id in ids {
        rivals.push(fetch_event(id).ok_or_else(|| ResolveError::Missing((*id).clone()))?);
    }
    rivals.sort_by_cached_key(|pdu| (pdu.depth, Reverse(<[u8; 20]>::from(Sha1::digest(pdu.event_id.as_bytes())))));
    Ok(rivals)
}

/// The state resolved so far.
struct View<'a, F> {
    resolved: &'a StateMap,
    rules: &'a RoomVersionRules,
    fetch_event: &'a F,
}

impl<F: Fn(&EventId) -> Option<Arc<Pdu>>> View<'_, F> {
    /// Takes the first, then each next one that the state with the one before it allows.
    fn last_of_a_line(&self, key: &StateKey, rivals: &Rivals) -> Option<OwnedEventId> {
        let mut rivals = rivals.iter();
        let mut best = rivals.next()?;
        for next in rivals {
            let allowed = authorize(next, self.rules, |kind, state_key| {
                if *kind == key.0 && state_key == key.1 { Some(Arc::clone(best)) } else { self.state(kind, state_key) }
            });
            if allowed.is_err() {
                break;
            }
            best = next;
        }
        Some(best.event_id.clone())
    }

    /// The deepest that the state allows, or the least deep if it allows none.
    fn latest(&self, rivals: &Rivals) -> Option<OwnedEventId> {
        let allowed =
            rivals.iter().rev().find(|pdu| authorize(pdu, self.rules, |kind, key| self.state(kind, key)).is_ok());
        allowed.or(rivals.first()).map(|pdu| pdu.event_id.clone())
    }

    fn state(&self, kind: &StateEventType, state_key: &str) -> Option<Arc<Pdu>> {
        (self.fetch_event)(self.resolved.get(&(kind.clone(), state_key.to_owned()))?)
    }
}
