//! State resolution of events that nobody has authorized: any graph, any content.
#![no_main]

use std::{collections::HashMap, sync::Arc};

use event::{
    Pdu,
    state_res::{self, StateMap},
};
use libfuzzer_sys::fuzz_target;
use ruma::{EventId, OwnedEventId, RoomVersionId, events::StateEventType};

const KINDS: [&str; 6] = [
    "m.room.create",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.member",
    "m.room.topic",
    "m.room.third_party_invite",
];
const USERS: [&str; 4] = ["@a:a", "@b:b", "@c:a", "@d:d"];
const CONTENTS: [&str; 10] = [
    r#"{"creator":"@a:a","room_version":"10"}"#,
    r#"{"users":{"@a:a":100,"@b:b":50}}"#,
    r#"{"users":{"@b:b":100},"users_default":-1,"events":{"m.room.topic":9007199254740991}}"#,
    r#"{"join_rule":"public"}"#,
    r#"{"join_rule":"restricted","allow":[]}"#,
    r#"{"membership":"join"}"#,
    r#"{"membership":"ban"}"#,
    r#"{"membership":"invite","third_party_invite":{}}"#,
    r#"{"membership":"leave"}"#,
    "{}",
];

fn pick<'a>(from: &[&'a str], byte: u8) -> &'a str {
    from[usize::from(byte) % from.len()]
}

/// Seven bytes make an event: type, sender, state key, content, time, two references.
fn events(data: &[u8], rules: &event::RoomVersionRules) -> Vec<Arc<Pdu>> {
    let mut all: Vec<Arc<Pdu>> = Vec::new();
    for (n, part) in data.chunks_exact(7).take(40).enumerate() {
        let refs: Vec<String> = part[5..7]
            .iter()
            .filter_map(|byte| all.get(usize::from(*byte)))
            .map(|pdu| format!("\"{}\"", pdu.event_id))
            .collect();
        let kind = pick(&KINDS, part[0]);
        let key = if kind == "m.room.member" { pick(&USERS, part[2]) } else { "" };
        let json = format!(
            r#"{{"auth_events":[{}],"content":{},"depth":{n},"hashes":{{"sha256":"{n}"}},"origin_server_ts":{},"prev_events":[],"room_id":"!r:a","sender":"{}","signatures":{{}},"state_key":"{key}","type":"{kind}"}}"#,
            refs.join(","),
            pick(&CONTENTS, part[3]),
            part[4],
            pick(&USERS, part[1]),
        );
        all.extend(Pdu::parse(json.as_bytes(), rules).ok().map(Arc::new));
    }
    all
}

fuzz_target!(|data: &[u8]| {
    let Some((version, rest)) = data.split_first() else { return };
    let version = [RoomVersionId::V1, RoomVersionId::V6, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12]
        [usize::from(*version) % 5]
        .clone();
    let Some(mut rules) = event::rules(&version) else { return };
    if version == RoomVersionId::V1 {
        // Its events carry their ids; the algorithm is what is of interest.
        let Some(later) = event::rules(&RoomVersionId::V10) else { return };
        rules.event_id_format = later.event_id_format;
        rules.events_reference_format = later.events_reference_format;
    }
    let all = events(rest, &rules);
    let by_id: HashMap<OwnedEventId, Arc<Pdu>> = all.iter().map(|pdu| (pdu.event_id.clone(), pdu.clone())).collect();
    let fetch = |id: &EventId| by_id.get(id).cloned();
    let mut states = [StateMap::new(), StateMap::new(), StateMap::new()];
    for (n, pdu) in all.iter().enumerate() {
        let Some(key) = &pdu.state_key else { continue };
        states[n % 3].insert((StateEventType::from(pdu.kind.to_string()), key.clone()), pdu.event_id.clone());
    }
    let Ok(chains) = states
        .iter()
        .map(|state| state_res::full_auth_chain(state, |id| fetch(id).map(|pdu| pdu.auth_events.clone())))
        .collect::<Result<Vec<_>, _>>()
    else {
        return;
    };
    let first = state_res::resolve(&rules, &states, chains.clone(), fetch);
    let (mut turned, mut turned_chains) = (states.to_vec(), chains);
    turned.rotate_left(1);
    turned_chains.rotate_left(1);
    let second = state_res::resolve(&rules, &turned, turned_chains, fetch);
    if let (Ok(first), Ok(second)) = (first, second) {
        assert_eq!(first, second, "the order of the states must not matter");
    }
});
