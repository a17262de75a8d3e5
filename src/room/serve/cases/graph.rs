use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use event::{Draft, Pdu};
use proptest::prelude::*;
use ruma::{OwnedEventId, RoomVersionId, ServerName, events::TimelineEventType};
use serde_json::{Value, json};

use crate::{
    EventNum,
    cases::rig::{Rig, raw, user},
    lookup::rules,
    row::Verdict,
    serve::Missing,
    tables::EVENTS,
};

const OTHER: &str = "other.test";

fn other() -> &'static ServerName {
    OTHER.try_into().unwrap()
}

/// Appends an event of bob, of the other server, after these.
async fn put(rig: &Rig, prev: &[OwnedEventId], auth: &[OwnedEventId], depth: u64, body: &str) -> OwnedEventId {
    rig.clock.advance(1000);
    let view = rig.rooms.db().view();
    let rules = rules(&rig.rooms.info(&view, rig.num).await.unwrap().version).unwrap();
    let place = event::Place {
        room_id: Some(&rig.id),
        sender: &user("bob:other.test"),
        prev_events: prev,
        auth_events: auth,
        hashes: &[],
        depth,
        origin_server_ts: crate::compose::timestamp(rig.clock.now()),
        random: base::random::bytes(),
    };
    let draft = Draft::message(TimelineEventType::from("m.room.message"), raw(&json!({ "body": body })));
    let pdu = Arc::new(draft.build(&place, &rig.rooms.signer, &rules).unwrap());
    rig.append(&pdu).await;
    pdu.event_id.clone()
}

/// `base` ← a ← b ← d, `base` ← c ← d ← e.
async fn diamond() -> (Rig, HashMap<&'static str, OwnedEventId>) {
    let rig = Rig::new().await;
    let base = rig.join("bob:other.test").await;
    let depth = rig.row(&base).await.1.event.depth();
    let a = put(&rig, std::slice::from_ref(&base), &[], depth + 1, "a").await;
    let b = put(&rig, std::slice::from_ref(&a), &[], depth + 2, "b").await;
    let c = put(&rig, std::slice::from_ref(&base), &[], depth + 1, "c").await;
    let d = put(&rig, &[b.clone(), c.clone()], &[], depth + 3, "d").await;
    let e = put(&rig, std::slice::from_ref(&d), &[], depth + 4, "e").await;
    let ids = HashMap::from([("base", base), ("a", a), ("b", b), ("c", c), ("d", d), ("e", e)]);
    (rig, ids)
}

async fn judge(rig: &Rig, id: &OwnedEventId, verdict: Verdict) {
    let (num, mut row) = rig.row(id).await;
    row.meta.verdict = verdict;
    let mut tx = rig.rooms.db().begin();
    tx.put(&EVENTS, (rig.num, num), &row);
    tx.commit().await.unwrap();
}

/// Bodies, or types of what has none.
fn names(events: &[bytes::Bytes]) -> String {
    let name = |json: &bytes::Bytes| {
        let event: Value = serde_json::from_slice(json).unwrap();
        event["content"]["body"].as_str().or_else(|| event["type"].as_str()).unwrap_or_default().to_owned()
    };
    events.iter().map(name).collect::<Vec<_>>().join(" ")
}

async fn backfill(rig: &Rig, from: &OwnedEventId, limit: usize) -> String {
    let view = rig.rooms.db().view();
    let from = std::slice::from_ref(from);
    names(&rig.rooms.backfill_for(&view, rig.num, other(), from, limit).await.unwrap())
}

#[tokio::test]
async fn backfill_gives_the_named_events_and_what_came_before_deepest_first() {
    let (rig, ids) = diamond().await;
    assert_eq!(backfill(&rig, &ids["d"], 5).await, "d b c a m.room.member");
    assert_eq!(backfill(&rig, &ids["d"], 2).await, "d b");
    assert_eq!(backfill(&rig, &ids["d"], 0).await, "");
    assert!(backfill(&rig, &ids["e"], 1000).await.ends_with("m.room.create"));
    assert_eq!(backfill(&rig, &"$nowhere".try_into().unwrap(), 5).await, "");
}

#[tokio::test]
async fn backfill_passes_over_what_was_rejected_or_soft_failed_and_goes_on_behind_it() {
    let (rig, ids) = diamond().await;
    judge(&rig, &ids["b"], Verdict::SoftFailed).await;
    judge(&rig, &ids["c"], Verdict::RejectedByState("no".into())).await;
    assert_eq!(backfill(&rig, &ids["d"], 3).await, "d a m.room.member");
}

async fn missing(rig: &Rig, earliest: &[&OwnedEventId], latest: &[&OwnedEventId], limit: usize, min: u64) -> String {
    let own = |ids: &[&OwnedEventId]| ids.iter().map(|id| (*id).clone()).collect();
    let missing = Missing { earliest: own(earliest), latest: own(latest), limit, min_depth: min };
    names(&rig.rooms.missing_for(&rig.rooms.db().view(), rig.num, other(), &missing).await.unwrap())
}

#[tokio::test]
async fn missing_events_are_those_between_oldest_first() {
    let (rig, ids) = diamond().await;
    let depth = rig.row(&ids["base"]).await.1.event.depth();
    assert_eq!(missing(&rig, &[&ids["base"]], &[&ids["e"]], 10, 0).await, "a c b d");
    assert_eq!(missing(&rig, &[&ids["base"]], &[&ids["e"]], 2, 0).await, "b d");
    assert_eq!(missing(&rig, &[&ids["a"], &ids["c"]], &[&ids["e"]], 10, 0).await, "b d");
    assert_eq!(missing(&rig, &[], &[&ids["e"]], 10, depth + 2).await, "b d");
    assert_eq!(missing(&rig, &[&ids["base"]], &[&ids["e"], &ids["b"]], 10, 0).await, "a c d");
    assert_eq!(missing(&rig, &[&ids["d"]], &[&ids["e"]], 10, 0).await, "");
    judge(&rig, &ids["b"], Verdict::SoftFailed).await;
    judge(&rig, &ids["c"], Verdict::RejectedByAuth("no".into())).await;
    assert_eq!(missing(&rig, &[&ids["base"]], &[&ids["e"]], 10, 0).await, "a b d");
}

#[tokio::test]
async fn no_more_than_twenty_missing_events_are_given_and_a_hundred_of_a_backfill() {
    let rig = Rig::new().await;
    rig.join("bob:other.test").await;
    for i in 0..120 {
        rig.say("alice", &i.to_string()).await;
    }
    let last = rig.say("alice", "last").await;
    assert_eq!(missing(&rig, &[], &[&last], 10_000, 0).await.split(' ').count(), 20);
    assert_eq!(backfill(&rig, &last, 10_000).await.split(' ').count(), 100);
}

#[tokio::test]
async fn the_state_before_an_event_is_without_it_and_comes_with_all_that_allows_it() {
    for version in [RoomVersionId::V1, RoomVersionId::V11, RoomVersionId::V12] {
        let rig = Rig::of_version(version.clone()).await;
        rig.join("bob:other.test").await;
        let old = rig.state("alice", "m.room.name", "", &json!({ "name": "old" })).await;
        let new = rig.state("alice", "m.room.name", "", &json!({ "name": "new" })).await;
        let view = rig.rooms.db().view();
        let before = rig.rooms.state_ids_before(&view, rig.num, &new).await.unwrap();
        assert!(before.state.contains(&old) && !before.state.contains(&new), "{version}");
        let full = rig.rooms.full_state_before(&view, rig.num, &new).await.unwrap();
        assert_eq!((full.state.len(), full.auth_chain.len()), (before.state.len(), before.auth_chain.len()));
        let rules = rules(&version).unwrap();
        let pdus: Vec<_> = full.state.iter().map(|json| Pdu::parse(json, &rules).unwrap()).collect();
        let known: BTreeSet<_> = before.state.iter().chain(&before.auth_chain).collect();
        assert!(pdus.iter().all(|pdu| pdu.auth_events.iter().all(|id| known.contains(id))), "{version}");
        let chain = rig.rooms.auth_chain_of(&view, rig.num, &new).await.unwrap();
        let chain: BTreeSet<_> = chain.iter().map(|json| Pdu::parse(json, &rules).unwrap().event_id).collect();
        let new = Pdu::parse(&rig.row(&new).await.1.event.json(), &rules).unwrap();
        assert!(new.auth_events.iter().all(|id| chain.contains(id)) && !chain.contains(&new.event_id), "{version}");
        let nowhere = "$nowhere".try_into().unwrap();
        assert!(rig.rooms.state_ids_before(&view, rig.num, nowhere).await.is_err());
    }
}

#[tokio::test]
async fn rejected_events_are_no_part_of_a_state() {
    let rig = Rig::new().await;
    rig.join("bob:other.test").await;
    let name = rig.state("alice", "m.room.name", "", &json!({ "name": "bad" })).await;
    let at = rig.say("alice", "here").await;
    judge(&rig, &name, Verdict::RejectedByState("no".into())).await;
    let state = rig.rooms.state_ids_before(&rig.rooms.db().view(), rig.num, &at).await.unwrap();
    assert!(!state.state.contains(&name));
}

/// What can be reached, one event after the other.
fn naive(allowed_by: &[Vec<usize>], starts: &[usize]) -> BTreeSet<usize> {
    let mut chain = BTreeSet::new();
    let mut ahead: Vec<_> = starts.iter().flat_map(|start| allowed_by[*start].clone()).collect();
    while let Some(at) = ahead.pop() {
        if chain.insert(at) {
            ahead.extend(&allowed_by[at]);
        }
    }
    chain
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn an_authorization_chain_is_all_that_can_be_reached(
        picks in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..25),
        starts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let allowed_by: Vec<Vec<usize>> = picks
            .iter()
            .enumerate()
            .map(|(at, picks)| if at == 0 { Vec::new() } else { picks.iter().map(|pick| pick.index(at)).collect() })
            .collect();
        let starts: Vec<usize> = starts.iter().map(|start| start.index(allowed_by.len())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (found, expected) = runtime.block_on(async {
            let rig = Rig::new().await;
            let mut ids: Vec<OwnedEventId> = Vec::new();
            for (at, allowed) in allowed_by.iter().enumerate() {
                let mut auth: Vec<_> = allowed.iter().map(|at| ids[*at].clone()).collect();
                // One that nobody has does not matter.
                auth.push("$nowhere".try_into().unwrap());
                ids.push(put(&rig, &[], &auth, 5, &at.to_string()).await);
            }
            let mut nums = Vec::new();
            for id in &ids {
                nums.push(rig.row(id).await.0);
            }
            let from: Vec<_> = starts.iter().map(|at| nums[*at]).collect();
            let found = rig.rooms.auth_chain(&rig.rooms.db().view(), rig.num, &from).await.unwrap();
            let expected: BTreeSet<EventNum> = naive(&allowed_by, &starts).into_iter().map(|at| nums[at]).collect();
            (found, expected.into_iter().collect::<Vec<_>>())
        });
        prop_assert_eq!(found, expected);
    }
}
