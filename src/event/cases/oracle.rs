//! State resolution 2 and 2.1 a second time, as plainly as the specification words it, to hold
//! ruma's against.

use std::{cmp::Reverse, sync::Arc};

use ruma::{EventId, OwnedEventId, events::StateEventType};

use super::rooms::TestRoom;
use crate::{
    Pdu, PowerLevels, auth_types, authorize, create_event_id,
    state_res::{
        IdSet, StateKey, StateMap, auth_difference, conflicted_events, conflicted_subgraph, full_auth_chain, split,
    },
};

pub(crate) fn resolve(room: &TestRoom, states: &[StateMap]) -> StateMap {
    let newer = room.rules.authorization.room_create_event_id_as_room_id;
    let (differing, agreed) = split(states);
    let conflicted = conflicted_events(&differing);
    if conflicted.is_empty() {
        return agreed;
    }
    let chains: Vec<IdSet> = states.iter().map(|state| full_auth_chain(state, room.auth_events()).unwrap()).collect();
    let mut full = auth_difference(&chains);
    full.extend(conflicted.iter().cloned());
    if newer {
        full.extend(conflicted_subgraph(&conflicted, room.auth_events()).unwrap());
    }

    let mut power: IdSet = IdSet::new();
    let mut open: Vec<_> = full.iter().filter(|id| is_power_event(event(room, id))).cloned().collect();
    while let Some(id) = open.pop() {
        let below = event(room, &id).auth_events.iter().filter(|id| full.contains(*id)).cloned();
        open.extend(below);
        power.insert(id);
    }
    let mut state = if newer { StateMap::new() } else { agreed.clone() };
    for id in power_order(room, power.clone()) {
        apply(room, &mut state, &id);
    }

    let mut mainline = Vec::new();
    let mut next = state.get(&(StateEventType::RoomPowerLevels, String::new())).cloned();
    while let Some(id) = next {
        next = power_levels_of(room, &id);
        mainline.push(id);
    }
    let position = |id: &OwnedEventId| {
        let mut next = power_levels_of(room, id);
        while let Some(id) = next {
            if let Some(at) = mainline.iter().position(|found| *found == id) {
                return at;
            }
            next = power_levels_of(room, &id);
        }
        usize::MAX
    };
    let mut rest: Vec<OwnedEventId> = full.difference(&power).cloned().collect();
    rest.sort_by_key(|id| (Reverse(position(id)), event(room, id).origin_server_ts, id.clone()));
    for id in rest {
        apply(room, &mut state, &id);
    }
    state.extend(agreed);
    state
}

fn event<'a>(room: &'a TestRoom, id: &EventId) -> &'a Arc<Pdu> {
    &room.events[id]
}

fn is_power_event(pdu: &Pdu) -> bool {
    match pdu.kind.to_string().as_str() {
        "m.room.power_levels" | "m.room.join_rules" => true,
        "m.room.member" => {
            let content: serde_json::Value = serde_json::from_str(pdu.content.get()).unwrap();
            ["leave", "ban"].contains(&content["membership"].as_str().unwrap())
                && pdu.state_key.as_deref() != Some(pdu.sender.as_str())
        }
        _ => false,
    }
}

fn power_levels_of(room: &TestRoom, id: &EventId) -> Option<OwnedEventId> {
    event(room, id).auth_events.iter().find(|id| event(room, id).is_state(&"m.room.power_levels".into(), "")).cloned()
}

fn power_order(room: &TestRoom, mut left: IdSet) -> Vec<OwnedEventId> {
    let create = room.events.values().find(|pdu| pdu.prev_events.is_empty()).unwrap();
    let mut order = Vec::new();
    while !left.is_empty() {
        let ready = left.iter().filter(|id| !event(room, id).auth_events.iter().any(|below| left.contains(below)));
        let first = ready.min_by_key(|id| {
            let pdu = event(room, id);
            let levels = power_levels_of(room, id).map(|id| Arc::clone(event(room, &id)));
            let power = PowerLevels::new(Arc::clone(create), levels, &room.rules).unwrap().user(&pdu.sender);
            (Reverse(power), pdu.origin_server_ts, (*id).clone())
        });
        let first = first.unwrap().clone();
        left.remove(&first);
        order.push(first);
    }
    order
}

fn apply(room: &TestRoom, state: &mut StateMap, id: &OwnedEventId) {
    let pdu = event(room, id);
    let key: StateKey = (StateEventType::from(pdu.kind.to_string()), pdu.state_key.clone().unwrap());
    let needed = auth_types(&pdu.kind, &pdu.sender, pdu.state_key.as_deref(), &pdu.content, &room.rules).unwrap();
    let allowed = authorize(pdu, &room.rules, |kind, state_key| {
        let wanted = (kind.clone(), state_key.to_owned());
        if *kind == StateEventType::RoomCreate && room.rules.authorization.room_create_event_id_as_room_id {
            return room.events.get(&create_event_id(&pdu.room_id)?).cloned();
        }
        if let Some(id) = state.get(&wanted).filter(|_| needed.contains(&wanted)) {
            return Some(Arc::clone(event(room, id)));
        }
        let mut named = pdu.auth_events.iter().map(|id| event(room, id));
        named.rfind(|auth| auth.is_state(&kind.to_string().into(), state_key)).cloned()
    });
    if allowed.is_ok() {
        state.insert(key, id.clone());
    }
}
