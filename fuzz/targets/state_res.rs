//! State resolution: any graph, any content; events that nobody has authorized, and whole rooms of events that their
//! own auth events allow, for which the reduced resolution must give what the whole one gives.
#![no_main]

use std::{collections::HashMap, sync::Arc};

use event::{
    Pdu, RoomVersionRules,
    state_res::{self, Conflict, IdSet, StateMap},
};
use libfuzzer_sys::fuzz_target;
use ruma::{EventId, OwnedEventId, RoomVersionId, events::StateEventType};

/// Bytes that make an event: type, sender, state key, content, time, two references, flags.
const PART: usize = 8;
const KINDS: [&str; 6] = [
    "m.room.create",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.member",
    "m.room.topic",
    "m.room.third_party_invite",
];
const USERS: [&str; 4] = ["@a:a", "@b:b", "@c:a", "@d:d"];
const CONTENTS: [&str; 14] = [
    r#"{"creator":"@a:a","room_version":"10"}"#,
    r#"{"users":{"@a:a":100,"@b:b":50}}"#,
    r#"{"users":{"@b:b":100},"users_default":-1,"events":{"m.room.topic":9007199254740991}}"#,
    r#"{"users":{"@a:a":100,"@b:b":100,"@c:a":50},"state_default":0}"#,
    r#"{"users":{"@b:b":50,"@c:a":50}}"#,
    r#"{"join_rule":"public"}"#,
    r#"{"join_rule":"invite"}"#,
    r#"{"join_rule":"restricted","allow":[]}"#,
    r#"{"membership":"join"}"#,
    r#"{"membership":"ban"}"#,
    r#"{"membership":"invite","third_party_invite":{}}"#,
    r#"{"membership":"invite"}"#,
    r#"{"membership":"leave"}"#,
    "{}",
];
/// The auth events are those that the rules select from the state that the event is for.
const SELECTED: u8 = 1;
/// The content is one that goes with the type.
const FITTING: u8 = 2;

/// Three states and the events in them.
struct Room {
    rules: RoomVersionRules,
    room_id: String,
    by_id: HashMap<OwnedEventId, Arc<Pdu>>,
    order: Vec<OwnedEventId>,
    states: [StateMap; 3],
    /// Whether each event is allowed by its auth events.
    is_sound: bool,
}

fn pick<'a>(from: &[&'a str], byte: u8) -> &'a str {
    from[usize::from(byte) % from.len()]
}

fn fitting(kind: &str, byte: u8) -> &'static str {
    let of = |range: std::ops::Range<usize>| pick(&CONTENTS[range], byte);
    match kind {
        "m.room.create" => of(0..1),
        "m.room.power_levels" => of(1..5),
        "m.room.join_rules" => of(5..8),
        "m.room.member" => of(8..13),
        _ => of(13..14),
    }
}

impl Room {
    fn add(&mut self, part: &[u8]) {
        let flags = part[7];
        let kind = pick(&KINDS, part[0]);
        // A room has one create event: what makes rooms sees to that.
        if kind == "m.room.create" && !self.order.is_empty() {
            return;
        }
        let key = if kind == "m.room.member" { pick(&USERS, part[2]) } else { "" };
        let content = if flags & FITTING == 0 { pick(&CONTENTS, part[3]) } else { fitting(kind, part[3]) };
        let mut auth: Vec<OwnedEventId> =
            part[5..7].iter().filter_map(|byte| self.order.get(usize::from(*byte))).cloned().collect();
        let first = usize::from(flags >> 2) % 4;
        if flags & SELECTED != 0 {
            let draft = self.event(part, kind, key, content, &[]);
            auth = draft.map_or_else(Vec::new, |pdu| self.selected(&pdu, first % 3));
        }
        let Some(pdu) = self.event(part, kind, key, content, &auth) else { return };
        let is_allowed = self.is_allowed(&pdu);
        if !is_allowed && flags & SELECTED != 0 {
            return;
        }
        self.is_sound &= is_allowed;
        let id = pdu.event_id.clone();
        self.order.push(id.clone());
        self.by_id.insert(id.clone(), Arc::new(pdu));
        let into = if first == 3 { 0..3 } else { first..first + 1 };
        for state in &mut self.states[into] {
            state.insert((StateEventType::from(kind), key.to_owned()), id.clone());
        }
    }

    fn event(&self, part: &[u8], kind: &str, key: &str, content: &str, auth: &[OwnedEventId]) -> Option<Pdu> {
        let n = self.order.len();
        let refs: Vec<String> = auth.iter().map(|id| format!("\"{id}\"")).collect();
        // From version 12 on the room is named after its create event, which has no name for it.
        let room = match (kind, self.rules.authorization.room_create_event_id_as_room_id) {
            ("m.room.create", true) => String::new(),
            _ => format!(r#""room_id":"{}","#, self.room_id),
        };
        let json = format!(
            r#"{{"auth_events":[{}],"content":{content},"depth":{n},"hashes":{{"sha256":"{n}"}},"origin_server_ts":{},"prev_events":[],{room}"sender":"{}","signatures":{{}},"state_key":"{key}","type":"{kind}"}}"#,
            refs.join(","),
            part[4],
            pick(&USERS, part[1]),
        );
        Pdu::parse(json.as_bytes(), &self.rules).ok()
    }

    fn selected(&self, pdu: &Pdu, state: usize) -> Vec<OwnedEventId> {
        let types = event::auth_types(&pdu.kind, &pdu.sender, pdu.state_key.as_deref(), &pdu.content, &self.rules);
        types.unwrap_or_default().iter().filter_map(|key| self.states[state].get(key)).cloned().collect()
    }

    fn is_allowed(&self, pdu: &Pdu) -> bool {
        event::check_auth_events(pdu, &self.rules, |id| self.by_id.get(id).cloned()).is_ok()
            && event::authorize(pdu, &self.rules, |kind, key| {
                let names = pdu.auth_events.iter().filter_map(|id| self.by_id.get(id));
                let create = event::create_event_id(&pdu.room_id).and_then(|id| self.by_id.get(&id));
                let is = |event: &&Arc<Pdu>| event.is_state(&kind.to_string().into(), key);
                names.chain(create).find(is).cloned()
            })
            .is_ok()
    }

    fn fetch(&self, id: &EventId) -> Option<Arc<Pdu>> {
        self.by_id.get(id).cloned()
    }

    fn chains(&self, states: &[StateMap]) -> Option<Vec<IdSet>> {
        let auth = |id: &EventId| self.fetch(id).map(|pdu| pdu.auth_events.clone());
        states.iter().map(|state| state_res::full_auth_chain(state, auth).ok()).collect()
    }

    /// Resolves by reading only what differs.
    fn reduced(&self, states: &[StateMap], chains: &[IdSet]) -> Option<StateMap> {
        let (differing, agreed) = state_res::split(states);
        let mut conflict = Conflict { states: differing, ..Conflict::default() };
        conflict.auth_difference = state_res::auth_difference(chains);
        let auth = |id: &EventId| self.fetch(id).map(|pdu| pdu.auth_events.clone());
        let full = state_res::full_conflicted_set(&self.rules, &mut conflict, auth).ok()?;
        let needed = state_res::needed_keys(&self.rules, &full, |id| self.fetch(id)).ok()?;
        conflict.agreed = needed.into_iter().filter_map(|key| Some((key.clone(), agreed.get(&key)?.clone()))).collect();
        let mut resolved = state_res::resolve_reduced(&self.rules, &conflict, |id| self.fetch(id)).ok()?;
        resolved.extend(agreed);
        Some(resolved)
    }
}

fn room(version: RoomVersionId) -> Option<Room> {
    let mut rules = event::rules(&version)?;
    if version == RoomVersionId::V1 {
        // Its events carry their ids; the algorithm is what is of interest.
        let later = event::rules(&RoomVersionId::V10)?;
        rules.event_id_format = later.event_id_format;
        rules.events_reference_format = later.events_reference_format;
    }
    let mut room = Room {
        rules,
        room_id: "!r:a".to_owned(),
        by_id: HashMap::new(),
        order: Vec::new(),
        states: Default::default(),
        is_sound: true,
    };
    // Every room begins with these.
    room.add(&[0, 0, 0, 0, 0, 255, 255, 0b1111]);
    if room.rules.authorization.room_create_event_id_as_room_id {
        room.room_id = room.order.first()?.as_str().replacen('$', "!", 1);
    }
    room.add(&[3, 0, 0, 0, 0, 0, 255, 0b1111]);
    Some(room)
}

fuzz_target!(|data: &[u8]| {
    let Some((version, rest)) = data.split_first() else { return };
    let versions = [RoomVersionId::V1, RoomVersionId::V6, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12];
    let version = versions[usize::from(*version) % versions.len()].clone();
    let is_v1 = version == RoomVersionId::V1;
    let Some(mut room) = room(version) else { return };
    rest.chunks_exact(PART).take(40).for_each(|part| room.add(part));
    let states = room.states.to_vec();
    let Some(chains) = room.chains(&states) else { return };
    let first = state_res::resolve(&room.rules, &states, chains.clone(), |id| room.fetch(id));
    let (mut turned, mut turned_chains) = (states.clone(), chains.clone());
    turned.rotate_left(1);
    turned_chains.rotate_left(1);
    let second = state_res::resolve(&room.rules, &turned, turned_chains, |id| room.fetch(id));
    // Of events that their own auth events forbid nothing is promised, and none gets into a state.
    if room.is_sound {
        assert_eq!(first, second, "the order of the states must not matter");
        let first = first.expect("the states of a sound room can be resolved");
        if !is_v1 {
            let reduced = room.reduced(&states, &chains).expect("so can what differs in them");
            assert_eq!(first, reduced, "what all states agree on is of no consequence");
        }
    }
});
