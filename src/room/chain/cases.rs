//! The index against walking along the events themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use event::{Draft, Pdu};
use kv::Read;
use proptest::prelude::*;
use ruma::OwnedEventId;
use serde_json::json;

use super::difference::Sides;
use crate::{
    EventMeta, EventNum, RemoteState,
    cases::rig::{Rig, raw, user},
    ingest::Invitation,
    lookup::rules,
    row::{Placement, Verdict},
    state::{Root, StateKey, keys},
    tables::{AUTH, AUTH_LATE, AUTH_READY, TIPS},
};

/// Kinds of state.
const KINDS: usize = 6;

/// A state event of a random graph.
#[derive(Debug, Clone)]
struct Node {
    kind: usize,
    /// Which of the earlier events allow it.
    auth: Vec<prop::sample::Index>,
    /// After how many of the later events it is met.
    delay: usize,
    rejected: bool,
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let delay = prop_oneof![8 => Just(0), 1 => 1..12_usize];
    let node = (0..KINDS, prop::collection::vec(any::<prop::sample::Index>(), 0..4), delay, prop::bool::weighted(0.1))
        .prop_map(|(kind, auth, delay, rejected)| Node { kind, auth, delay, rejected });
    prop::collection::vec(node, 2..40)
}

/// A random graph in a room.
struct Graph {
    rig: Rig,
    /// Which events allow each one.
    auth: Vec<Vec<usize>>,
    nums: Vec<EventNum>,
    keys: Vec<StateKey>,
    pdus: Vec<Arc<Pdu>>,
}

impl Graph {
    async fn new(nodes: &[Node]) -> Self {
        let rig = Rig::new().await;
        let mut graph = Self { rig, auth: Vec::new(), nums: Vec::new(), keys: Vec::new(), pdus: Vec::new() };
        for (at, node) in nodes.iter().enumerate() {
            let able: Vec<usize> = (0..at).filter(|at| !nodes[*at].rejected).collect();
            let auth: BTreeSet<_> =
                node.auth.iter().filter(|_| !able.is_empty()).map(|pick| able[pick.index(able.len())]).collect();
            graph.auth.push(auth.into_iter().collect());
            let pdu = graph.build(at, node).await;
            graph.pdus.push(pdu);
        }
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by_key(|at| at + nodes[*at].delay);
        graph.nums = vec![EventNum(0); nodes.len()];
        graph.keys = vec![0; nodes.len()];
        for at in order {
            graph.store(at).await;
        }
        graph
    }

    async fn build(&self, at: usize, node: &Node) -> Arc<Pdu> {
        let view = self.rig.rooms.db().view();
        let rules = rules(&self.rig.rooms.info(&view, self.rig.num).await.unwrap().version).unwrap();
        let auth: Vec<OwnedEventId> = self.auth[at].iter().map(|at| self.pdus[*at].event_id.clone()).collect();
        let place = event::Place {
            room_id: Some(&self.rig.id),
            sender: &user("alice"),
            prev_events: &[],
            auth_events: &auth,
            hashes: &[],
            depth: 5,
            origin_server_ts: crate::compose::timestamp(at as u64),
            random: [0; 16],
        };
        let draft = Draft::state(format!("test.{}", node.kind).into(), "", raw(&json!({ "at": at })));
        let mut pdu = draft.build(&place, &self.rig.rooms.signer, &rules).unwrap();
        pdu.rejected = node.rejected;
        Arc::new(pdu)
    }

    async fn store(&mut self, at: usize) {
        let (rooms, room, pdu) = (&self.rig.rooms, self.rig.num, &self.pdus[at]);
        let mut tx = rooms.db().begin();
        let mut tip = rooms.tip(&tx, room).await.unwrap();
        let info = rooms.info(&tx, room).await.unwrap();
        let num = EventNum(tip.next_event);
        tip.next_event += 1;
        let verdict = if pdu.rejected { Verdict::RejectedByAuth("no".into()) } else { Verdict::Accepted };
        let meta = EventMeta {
            place: None,
            placement: Placement::Outlier,
            verdict,
            before: Root::EMPTY,
            replaces: None,
            redacted_by: None,
            transaction: None,
        };
        rooms.write_event(&mut tx, room, &info, pdu, num, &meta).await.unwrap();
        rooms.index_late(&mut tx, room).await.unwrap();
        self.keys[at] = keys::intern(&mut tx, room, &pdu.kind.to_string(), "").await.unwrap();
        tx.put(&TIPS, room, &tip);
        tx.commit().await.unwrap();
        self.nums[at] = num;
    }

    /// What can be reached, one event after the other.
    fn chain(&self, starts: &[usize]) -> BTreeSet<usize> {
        let mut chain = BTreeSet::new();
        let mut ahead: Vec<_> = starts.iter().flat_map(|start| self.auth[*start].clone()).collect();
        while let Some(at) = ahead.pop() {
            if chain.insert(at) {
                ahead.extend(&self.auth[at]);
            }
        }
        chain
    }

    /// A state with the `picks`-th event under each key, and its events.
    fn state(&self, picks: &[prop::sample::Index]) -> BTreeMap<StateKey, usize> {
        let mut by_key: BTreeMap<StateKey, Vec<usize>> = BTreeMap::new();
        for (at, pdu) in self.pdus.iter().enumerate().filter(|(_, pdu)| !pdu.rejected) {
            let _ = pdu;
            by_key.entry(self.keys[at]).or_default().push(at);
        }
        by_key.into_iter().zip(picks).map(|((key, all), pick)| (key, all[pick.index(all.len())])).collect()
    }

    async fn check_chain(&self, starts: &[usize]) {
        let from: Vec<_> = starts.iter().map(|at| self.nums[*at]).collect();
        let view = self.rig.rooms.db().view();
        let found = self.rig.rooms.auth_chain(&view, self.rig.num, &from).await.unwrap();
        let expected: BTreeSet<_> = self.chain(starts).into_iter().map(|at| self.nums[at]).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    async fn check_difference(&self, states: &[BTreeMap<StateKey, usize>]) {
        let keys: BTreeSet<_> = states.iter().flat_map(BTreeMap::keys).copied().collect();
        let differing: BTreeSet<_> =
            keys.into_iter().filter(|key| states.iter().any(|state| state.get(key) != states[0].get(key))).collect();
        let mut tx = self.rig.rooms.db().begin();
        let entries: Vec<_> = states[0].iter().map(|(key, at)| (*key, self.nums[*at].0)).collect();
        let base = self.rig.rooms.trees(self.rig.num).build(&mut tx, &entries);
        let under = |state: &BTreeMap<StateKey, usize>| -> Vec<_> {
            differing.iter().filter_map(|key| state.get(key)).map(|at| self.nums[*at]).collect()
        };
        let events: Vec<_> = states.iter().map(under).collect();
        let conflicting: BTreeSet<_> = events.iter().flatten().copied().collect();
        let sides = Sides { base, differing: &differing, events: &events };
        let rooms = &self.rig.rooms;
        let orders = rooms.orders(&tx, self.rig.num).await.unwrap();
        let mut found = rooms.auth_difference(&tx, self.rig.num, orders.as_ref(), sides).await.unwrap();
        found.extend(&conflicting);

        let whole = |state: &BTreeMap<StateKey, usize>| {
            let own: Vec<_> = state.values().copied().collect();
            let mut chain = self.chain(&own);
            chain.extend(own);
            chain
        };
        let chains: Vec<_> = states.iter().map(whole).collect();
        let some = chains.iter().flatten().filter(|at| !chains.iter().all(|chain| chain.contains(at)));
        let mut expected: BTreeSet<_> = some.map(|at| self.nums[*at]).collect();
        expected.extend(&conflicting);
        assert_eq!(found, expected);

        let ends: BTreeSet<_> = conflicting.iter().filter_map(|num| self.nums.iter().position(|n| n == num)).collect();
        let between = (0..self.nums.len()).filter(|at| {
            let below = ends.contains(at) || !self.chain(&[*at]).is_disjoint(&ends);
            below && (ends.contains(at) || ends.iter().any(|end| self.chain(&[*end]).contains(at)))
        });
        let expected: BTreeSet<_> = between.map(|at| self.nums[at]).collect();
        let ends = conflicting.into_iter().collect();
        let found = rooms.auth_subgraph(&tx, self.rig.num, orders.as_ref(), &ends).await.unwrap();
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    /// Makes the room one from before the index.
    async fn forget_index(&self) {
        let mut tx = self.rig.rooms.db().begin();
        tx.clear(&AUTH, &(self.rig.num,));
        tx.clear(&AUTH_LATE, &(self.rig.num,));
        tx.delete(&AUTH_READY, self.rig.num);
        tx.commit().await.unwrap();
    }

    async fn rows(&self) -> (Vec<EventNum>, Vec<EventNum>) {
        let view = self.rig.rooms.db().view();
        let rows = view.scan(&AUTH, AUTH.all()).collect().await.unwrap();
        let late = view.scan(&AUTH_LATE, AUTH_LATE.all()).collect().await.unwrap();
        (rows.into_iter().map(|((_, num), _)| num).collect(), late.into_iter().map(|((_, num), ())| num).collect())
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_says_what_walking_along_the_events_says(
        nodes in nodes(),
        starts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        picks in prop::collection::vec(any::<prop::sample::Index>(), KINDS),
        changes in prop::collection::vec((0..KINDS, any::<prop::sample::Index>()), 1..4),
    ) {
        run(async {
            let graph = Graph::new(&nodes).await;
            let starts: Vec<_> = starts.iter().map(|start| start.index(nodes.len())).collect();
            let mut states = vec![graph.state(&picks)];
            for (kind, pick) in &changes {
                let mut picks = picks.clone();
                picks[*kind] = *pick;
                states.push(graph.state(&picks));
            }
            let rows = graph.rows().await;
            graph.check_chain(&starts).await;
            graph.check_difference(&states).await;
            graph.forget_index().await;
            graph.check_chain(&starts).await;
            graph.check_difference(&states).await;
            graph.rig.rooms.index_old_rooms().await.unwrap();
            // Rejected events may be found late by the one way and not by the other.
            let accepted = |nums: Vec<EventNum>| -> BTreeSet<_> {
                let rejected = |num: &EventNum| graph.nums.iter().zip(&graph.pdus).any(|(n, p)| n == num && p.rejected);
                nums.into_iter().filter(|num| !rejected(num)).collect()
            };
            assert_eq!(accepted(graph.rows().await.0), accepted(rows.0));
            graph.check_chain(&starts).await;
            graph.check_difference(&states).await;
        });
    }
}

#[tokio::test]
async fn every_state_event_has_its_row_and_no_message_has_one() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    rig.say("bob", "hello").await;
    rig.state("alice", "m.room.topic", "", &json!({ "topic": "x" })).await;
    let view = rig.rooms.db().view();
    for (num, row) in rig.all().await {
        let edges = view.peek(&AUTH, (rig.num, num)).await.unwrap();
        let named = rig.rooms.named_edges(&view, rig.num, vec![num]).await.unwrap().remove(&num);
        assert_eq!(edges.map(|edges| edges.0), named.filter(|_| row.event.state_key().is_some()));
    }
}

#[tokio::test]
async fn an_invite_from_before_the_join_gets_its_row_with_the_join() {
    let pair = crate::cases::pair::Pair::new(ruma::RoomVersionId::V11).await;
    let (a, id) = (&pair.a, &pair.id);
    let b = crate::cases::pair::server("c.test", 9, a.clock());
    let invite = Draft::state("m.room.member".into(), "@carol:c.test", raw(&json!({ "membership": "invite" })));
    let invite = pair.send(a, "alice:a.test", invite).await;
    let outside = Invitation { version: pair.version(), event: invite.clone(), state: Vec::new() };
    b.record_outside(id, &outside).await.unwrap();
    let state = pair.state(a).await;
    let join = Draft::state("m.room.member".into(), "@carol:c.test", raw(&json!({ "membership": "join" })));
    let join = pair.foreign_from("carol:c.test", &join).await;
    let remote = RemoteState { version: pair.version(), auth_chain: state.clone(), state };
    let joined = b.install(id, &remote, &join).await.unwrap();
    let view = b.db().view();
    let num = b.event_num(&view, joined.room, &invite.event_id).await.unwrap();
    assert!(view.peek(&AUTH, (joined.room, num)).await.unwrap().is_some());
    let orders = b.orders(&view, joined.room).await.unwrap().unwrap();
    for below in b.auth_chain(&view, joined.room, &[num]).await.unwrap() {
        assert!(below > num && orders.of(below) < orders.of(num), "{below:?}");
    }
    assert!(orders.of(num) < orders.of(joined.event));
}
