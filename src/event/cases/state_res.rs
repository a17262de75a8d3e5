//! State resolution: vectors, and properties over random rooms.

use proptest::prelude::*;
use ruma::{OwnedEventId, RoomVersionId};
use serde_json::json;

use super::{
    dag::{play, steps},
    oracle,
    rooms::{TestRoom, user},
};
use crate::{
    state_res::{
        Conflict, IdSet, StateKey, StateMap, auth_difference, conflicted_events, conflicted_subgraph, full_auth_chain,
        full_conflicted_set, needed_keys, resolve_reduced, split,
    },
    version::SUPPORTED,
};

fn member_key(name: &str) -> StateKey {
    ("m.room.member".into(), user(name).to_string())
}

fn key(kind: &str) -> StateKey {
    (kind.into(), String::new())
}

/// Resolves by the reduced form, given only what the caller is told to look up.
fn reduced(room: &TestRoom, states: &[StateMap]) -> StateMap {
    let (differing, agreed) = split(states);
    let chains: Vec<IdSet> = states.iter().map(|state| full_auth_chain(state, room.auth_events()).unwrap()).collect();
    let mut conflict = Conflict { states: differing, auth_difference: auth_difference(&chains), ..Conflict::default() };
    let set = full_conflicted_set(&room.rules, &mut conflict, room.auth_events()).unwrap();
    for key in needed_keys(&room.rules, &set, room.fetch()).unwrap() {
        if let Some(id) = agreed.get(&key) {
            conflict.agreed.insert(key, id.clone());
        }
    }
    let resolved = resolve_reduced(&room.rules, &conflict, room.fetch()).unwrap();
    assert!(resolved.keys().all(|key| !agreed.contains_key(key)));
    let mut whole = agreed;
    whole.extend(resolved);
    whole
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_reduced_form_any_order_and_a_second_implementation_give_the_same_state(
        version in 0..12_usize,
        steps in steps(),
        picks in prop::collection::vec(0..8_usize, 2..4),
    ) {
        let (mut room, tip) = TestRoom::furnished(&SUPPORTED[version], "public");
        let order = play(&mut room, tip, &steps);
        let mut states: Vec<StateMap> = picks
            .iter()
            .map(|back| room.after[&order[order.len().saturating_sub(1 + back)]].clone())
            .collect();
        let whole = room.resolve(&states);
        prop_assert_eq!(&reduced(&room, &states), &whole);
        if version > 0 {
            prop_assert_eq!(&oracle::resolve(&room, &states), &whole);
        }
        states.reverse();
        prop_assert_eq!(&room.resolve(&states), &whole);
        states.rotate_left(1);
        prop_assert_eq!(&room.resolve(&states), &whole);
        prop_assert_eq!(&reduced(&room, &states), &whole);
        // What all agree upon stays.
        for (key, id) in &split(&states).1 {
            prop_assert_eq!(whole.get(key), Some(id));
        }
        prop_assert_eq!(&room.resolve(&states[..1]), &states[0]);
    }
}

/// The property above says little if states seldom differ; they differ in every other room.
#[test]
fn random_rooms_do_have_conflicts() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut conflicts, mut refused) = (0, 0);
    for round in 0..60 {
        let played = steps().new_tree(&mut runner).unwrap().current();
        let (mut room, tip) = TestRoom::furnished(&SUPPORTED[1 + round % 11], "public");
        let order = play(&mut room, tip, &played);
        let states: Vec<StateMap> = order.iter().rev().take(3).map(|id| room.after[id].clone()).collect();
        let differing = conflicted_events(&split(&states).0);
        let resolved: IdSet = room.resolve(&states).into_values().collect();
        conflicts += usize::from(!differing.is_empty());
        refused += usize::from(differing.intersection(&resolved).count() * 2 < differing.len());
    }
    assert!(conflicts > 30 && refused > 5, "{conflicts} {refused}");
}

fn fork(version: &RoomVersionId) -> (TestRoom, OwnedEventId) {
    TestRoom::furnished(version, "public")
}

#[test]
fn a_ban_wins_over_what_the_banned_did_on_the_other_side() {
    for version in SUPPORTED {
        let (mut room, tip) = fork(&version);
        let ban = room.member(&[tip.clone()], "alice", "mia", "ban").unwrap();
        let topic = room.send(&[tip], "mia", "m.room.topic", Some(""), json!({ "topic": "mine" })).unwrap();
        let resolved = room.resolve(&[room.after[&ban].clone(), room.after[&topic].clone()]);
        assert_eq!(resolved[&member_key("mia")], ban, "{version}");
        // In version 1 a topic that only one side has is no conflict.
        assert_eq!(resolved.contains_key(&key("m.room.topic")), version == RoomVersionId::V1, "{version}");
    }
}

#[test]
fn of_two_power_changes_the_stronger_sender_is_applied_first() {
    for version in SUPPORTED.into_iter().skip(1) {
        let (mut room, tip) = fork(&version);
        let levels = |room: &TestRoom, mia: u8, bob: u8| {
            let mut content = json!({ "users": { user("mia"): mia, user("bob"): bob } });
            if !room.rules.authorization.explicitly_privilege_room_creators {
                content["users"]["@alice:hearth.test"] = json!(100);
            }
            content
        };
        // Mia makes bob her equal while alice takes her power away.
        let content = levels(&room, 50, 50);
        let promote = room.send(&[tip.clone()], "mia", "m.room.power_levels", Some(""), content).unwrap();
        let content = levels(&room, 0, 0);
        let demote = room.send(&[tip], "alice", "m.room.power_levels", Some(""), content).unwrap();
        let resolved = room.resolve(&[room.after[&promote].clone(), room.after[&demote].clone()]);
        assert_eq!(resolved[&key("m.room.power_levels")], demote, "{version}");
    }
}

/// MSC4297, problem A: a membership that one side lacks is checked against a join rule which all
/// agree on, although the room was public when the join happened.
#[test]
fn from_version_12_on_agreed_state_does_not_undo_older_events() {
    for version in SUPPORTED.into_iter().skip(1) {
        let (mut room, tip) = fork(&version);
        let join = room.member(&[tip], "dora.far.test", "dora.far.test", "join").unwrap();
        let closed = room
            .send(&[join.clone()], "alice", "m.room.join_rules", Some(""), json!({ "join_rule": "invite" }))
            .unwrap();
        let with = room.after[&closed].clone();
        let mut without = with.clone();
        without.remove(&member_key("dora.far.test"));
        let resolved = room.resolve(&[with, without]);
        let kept = resolved.get(&member_key("dora.far.test")) == Some(&join);
        assert_eq!(kept, version == RoomVersionId::V12, "{version}");
    }
}

/// MSC4297, problem B: events between two conflicted ones take part even if all chains have them.
#[test]
fn the_conflicted_subgraph_has_what_lies_between() {
    let (mut room, tip) = fork(&RoomVersionId::V12);
    let first = room.member(&[tip], "bob", "bob", "join").unwrap();
    let second = room.member(&[first.clone()], "bob", "bob", "join").unwrap();
    let third = room.member(&[second.clone()], "bob", "bob", "join").unwrap();
    let conflicted: IdSet = [first.clone(), third.clone()].into();
    let subgraph = conflicted_subgraph(&conflicted, room.auth_events()).unwrap();
    assert_eq!(subgraph, [first, second, third].into());
    let unknown: IdSet = [OwnedEventId::try_from("$unknown").unwrap()].into();
    assert!(conflicted_subgraph(&unknown, room.auth_events()).is_err());
}

#[test]
fn version_1_prefers_depth_among_ordinary_state() {
    let (mut room, tip) = fork(&RoomVersionId::V1);
    let shallow = room.send(&[tip.clone()], "mia", "m.room.topic", Some(""), json!({ "topic": 1 })).unwrap();
    let message = room.send(&[tip], "mia", "m.room.message", None, json!({})).unwrap();
    let deep = room.send(&[message], "mia", "m.room.topic", Some(""), json!({ "topic": 2 })).unwrap();
    let resolved = room.resolve(&[room.after[&shallow].clone(), room.after[&deep].clone()]);
    assert_eq!(resolved[&key("m.room.topic")], deep);
}
