//! State resolution: one state out of several. Version 1 is ours, 2 and 2.1 are ruma's.

mod graph;
mod reduced;
mod v1;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ruma::{
    EventId, OwnedEventId,
    events::StateEventType,
    room_version_rules::{RoomVersionRules, StateResolutionVersion},
    state_res::{self, utils::event_id_set::EventIdSet},
};

pub use self::{
    graph::{auth_difference, conflicted_subgraph, full_auth_chain},
    reduced::{Conflict, conflicted_events, full_conflicted_set, needed_keys, resolve_reduced, split},
};
use crate::pdu::Pdu;

/// The key of a piece of state.
pub type StateKey = (StateEventType, String);
/// A state: events, or anything else, by type and state key.
pub type StateMap<T = OwnedEventId> = HashMap<StateKey, T>;
/// A set of events.
pub type IdSet = HashSet<OwnedEventId>;

/// Why states cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// An event that is needed is not there; get it and try again.
    #[error("event {0} is missing")]
    Missing(OwnedEventId),
    /// The events are not such as authorization lets into a state.
    #[error("{0}")]
    Malformed(String),
}

impl From<state_res::Error> for ResolveError {
    fn from(error: state_res::Error) -> Self {
        match error {
            state_res::Error::NotFound(id) => Self::Missing(id),
            error => Self::Malformed(error.to_string()),
        }
    }
}

/// Resolves whole states. `auth_chains` has for each of them the set that [`full_auth_chain`] gives;
/// room version 1 does not look at it. All events must be of one room, and none rejected by its
/// auth events.
///
/// # Errors
/// [`ResolveError`]; the result depends on nothing but the arguments, and not on their order.
pub fn resolve(
    rules: &RoomVersionRules,
    states: &[StateMap],
    auth_chains: Vec<IdSet>,
    fetch_event: impl Fn(&EventId) -> Option<Arc<Pdu>>,
) -> Result<StateMap, ResolveError> {
    resolve_with(rules, states, auth_chains, None, fetch_event)
}

/// Resolves with a conflicted state subgraph that is known already.
fn resolve_with(
    rules: &RoomVersionRules,
    states: &[StateMap],
    auth_chains: Vec<IdSet>,
    subgraph: Option<&IdSet>,
    fetch_event: impl Fn(&EventId) -> Option<Arc<Pdu>>,
) -> Result<StateMap, ResolveError> {
    let StateResolutionVersion::V2(v2) = &rules.state_res else {
        return v1::resolve(rules, states, fetch_event);
    };
    let missing = std::cell::RefCell::new(None);
    let resolved = state_res::resolve(
        &rules.authorization,
        v2,
        states,
        auth_chains.into_iter().map(EventIdSet::from_iter).collect(),
        &fetch_event,
        |conflicted| {
            if let Some(subgraph) = subgraph {
                return Some(subgraph.iter().cloned().collect());
            }
            let conflicted: IdSet = conflicted.values().flatten().cloned().collect();
            match conflicted_subgraph(&conflicted, |id| fetch_event(id).map(|event| event.auth_events.clone())) {
                Ok(subgraph) => Some(subgraph.into_iter().collect()),
                Err(error) => {
                    *missing.borrow_mut() = Some(error);
                    None
                }
            }
        },
    );
    if let Some(error) = missing.into_inner() {
        return Err(error);
    }
    Ok(resolved?)
}
