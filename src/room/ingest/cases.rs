//! Resolving what differs against resolving everything, in rooms that grow by the rules.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use event::{
    Draft, Pdu, RoomVersionRules,
    state_res::{self, StateMap},
};
use kv::Tx;
use proptest::{prelude::*, strategy::ValueTree};
use ruma::{OwnedEventId, RoomVersionId, events::TimelineEventType};
use serde_json::{Value, json};

use super::Ingested;
use crate::{
    EventNum,
    cases::rig::{Rig, raw, user},
    lookup::rules,
    state::{Root, StateKey},
};

const NAMES: [&str; 5] = ["alice", "mia:b.test", "bob:b.test", "carol:c.test", "dora:d.test"];
const VERSIONS: [RoomVersionId; 5] =
    [RoomVersionId::V1, RoomVersionId::V3, RoomVersionId::V7, RoomVersionId::V11, RoomVersionId::V12];

/// One attempt to send something somewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub who: usize,
    pub whom: usize,
    pub what: u8,
    pub value: u8,
    /// Which of the latest events it comes after.
    pub parents: (usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..NAMES.len(), 0..NAMES.len(), any::<u8>(), any::<u8>(), (0..7_usize, 0..7_usize))
        .prop_map(|(who, whom, what, value, parents)| Step { who, whom, what, value, parents });
    prop::collection::vec(step, 8..40)
}

/// A room in which everything happens that the rules allow.
pub(super) struct Play {
    pub rig: Rig,
    pub rules: RoomVersionRules,
    /// Accepted and soft-failed events.
    pub order: Vec<(OwnedEventId, EventNum)>,
}

impl Play {
    pub async fn new(version: &RoomVersionId) -> Self {
        let rig = Rig::of_version(version.clone()).await;
        let mut play = Self { rig, rules: rules(version).unwrap(), order: Vec::new() };
        let last = play.rig.say("alice", "begin").await;
        play.order.push((last.clone(), play.rig.row(&last).await.0));
        for who in 1..3 {
            play.step(&Step { who, whom: 0, what: 2, value: 0, parents: (0, 0) }).await;
        }
        play.step(&Step { who: 0, whom: 1, what: 8, value: 50, parents: (0, 0) }).await;
        play
    }

    fn content(&self, step: &Step) -> (&'static str, String, Value) {
        let (who, whom, n) = (user(NAMES[step.who]).to_string(), user(NAMES[step.whom]).to_string(), step.value);
        match step.what % 12 {
            0 | 1 => ("m.room.topic", String::new(), json!({ "topic": n })),
            2 | 3 => ("m.room.member", who, json!({ "membership": "join", "n": n })),
            4 => ("m.room.member", who, json!({ "membership": "leave" })),
            5 => ("m.room.member", whom, json!({ "membership": "leave", "n": n })),
            6 => ("m.room.member", whom, json!({ "membership": "ban" })),
            7 => ("m.room.member", whom, json!({ "membership": "invite" })),
            8 | 9 => {
                let mut users = json!({ whom: n % 101, who: 50 + n % 51 });
                if self.rules.authorization.explicitly_privilege_room_creators {
                    users.as_object_mut().unwrap().remove("@alice:hearth.test");
                } else {
                    users["@alice:hearth.test"] = json!(100);
                }
                let content = json!({ "users": users, "events": { "m.room.topic": n % 60 } });
                ("m.room.power_levels", String::new(), content)
            }
            10 => {
                let rule = if n.is_multiple_of(2) { "public" } else { "invite" };
                ("m.room.join_rules", String::new(), json!({ "join_rule": rule }))
            }
            _ => ("m.room.name", String::new(), json!({ "name": n })),
        }
    }

    pub async fn step(&mut self, step: &Step) {
        self.rig.clock.advance(u64::from(step.value % 2));
        let nth = |back: usize| self.order[self.order.len().saturating_sub(1 + back)].clone();
        let mut prev = vec![nth(step.parents.0), nth(step.parents.1)];
        prev.dedup();
        let pdu = self.build(step, &prev).await;
        if matches!(
            self.rig.rooms.ingest(&self.rig.id, &pdu, None).await.unwrap(),
            Ingested::Accepted(_) | Ingested::SoftFailed(_)
        ) {
            self.order.push((pdu.event_id.clone(), self.rig.row(&pdu.event_id).await.0));
        }
    }

    pub async fn after(&self, tx: &mut Tx, num: EventNum) -> Root {
        let row = self.rig.rooms.row(tx, self.rig.num, num).await.unwrap();
        self.rig.rooms.state_with(tx, self.rig.num, num, &row).await.unwrap()
    }

    async fn build(&self, step: &Step, prev: &[(OwnedEventId, EventNum)]) -> Arc<Pdu> {
        let (rooms, room) = (&self.rig.rooms, self.rig.num);
        let mut tx = rooms.db().begin();
        let mut states = Vec::new();
        for (_, num) in prev {
            states.push(self.after(&mut tx, *num).await);
        }
        let before = rooms.resolve(&mut tx, room, &self.rules, &states).await.unwrap();
        let (kind, key, content) = self.content(step);
        let (sender, kind, content) = (user(NAMES[step.who]), TimelineEventType::from(kind), raw(&content));
        let (mut auth, mut hashes) = (Vec::new(), Vec::new());
        for (kind, key) in event::auth_types(&kind, &sender, Some(&key), &content, &self.rules).unwrap_or_default() {
            if let Some(pdu) = rooms.state_event(&tx, room, before, &kind.to_string(), &key).await.unwrap() {
                auth.push(pdu.event_id.clone());
                hashes.push((pdu.event_id.clone(), event::reference_hash(pdu.json(), &self.rules)));
            }
        }
        for (id, num) in prev {
            let pdu = rooms.pdu(&tx, room, *num).await.unwrap();
            hashes.push((id.clone(), event::reference_hash(pdu.json(), &self.rules)));
        }
        let ids: Vec<_> = prev.iter().map(|(id, _)| id.clone()).collect();
        let place = event::Place {
            room_id: Some(&self.rig.id),
            sender: &sender,
            prev_events: &ids,
            auth_events: &auth,
            hashes: &hashes,
            depth: 10 + self.order.len() as u64,
            origin_server_ts: crate::compose::timestamp(self.rig.clock.now()),
            random: u128::from(prev[0].1.0 * 1000 + self.order.len() as u64).to_be_bytes(),
        };
        let draft = Draft { kind, state_key: Some(key), content, redacts: None };
        Arc::new(draft.build(&place, &rooms.signer, &self.rules).unwrap())
    }

    /// A whole state with its events and all below them.
    pub async fn whole(&self, tx: &Tx, root: Root, all: &mut HashMap<OwnedEventId, Arc<Pdu>>) -> StateMap {
        let (rooms, room) = (&self.rig.rooms, self.rig.num);
        let mut state = StateMap::new();
        let mut open = Vec::new();
        for (_, num) in rooms.trees(room).entries(tx, root, 0..StateKey::MAX).await.unwrap() {
            let pdu = rooms.pdu(tx, room, EventNum(num)).await.unwrap();
            let key = (pdu.kind.to_string().into(), pdu.state_key.clone().unwrap());
            state.insert(key, pdu.event_id.clone());
            open.push(pdu.event_id.clone());
        }
        while let Some(id) = open.pop() {
            if all.contains_key(&id) {
                continue;
            }
            let at = rooms.locate(tx, &id).await.unwrap().unwrap();
            let pdu = rooms.pdu(tx, room, at.num).await.unwrap();
            open.extend(pdu.auth_events.iter().cloned());
            all.insert(id, pdu);
        }
        state
    }

    /// Resolves these states both ways. Answers whether they differed.
    async fn check(&self, picks: &[usize]) -> bool {
        let mut tx = self.rig.rooms.db().begin();
        let mut roots = Vec::new();
        for back in picks {
            let (_, num) = &self.order[self.order.len().saturating_sub(1 + back)];
            roots.push(self.after(&mut tx, *num).await);
        }
        let resolved = self.rig.rooms.resolve(&mut tx, self.rig.num, &self.rules, &roots).await.unwrap();
        let mut all = HashMap::new();
        let mut states = Vec::new();
        for root in &roots {
            states.push(self.whole(&tx, *root, &mut all).await);
        }
        let auth = |id: &ruma::EventId| all.get(id).map(|pdu| pdu.auth_events.clone());
        let chains = states.iter().map(|state| state_res::full_auth_chain(state, auth).unwrap()).collect();
        let expected = state_res::resolve(&self.rules, &states, chains, |id| all.get(id).cloned()).unwrap();
        let found = self.whole(&tx, resolved, &mut HashMap::new()).await;
        assert_eq!(found, expected);
        roots.iter().collect::<HashSet<_>>().len() > 1
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn resolving_what_differs_gives_what_resolving_everything_gives(
        version in 0..VERSIONS.len(),
        steps in steps(),
        picks in prop::collection::vec(prop::collection::vec(0..8_usize, 2..5), 4),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut play = Play::new(&VERSIONS[version]).await;
            for step in &steps {
                play.step(step).await;
            }
            for picks in &picks {
                play.check(picks).await;
            }
        });
    }
}

/// The property above says little if states seldom differ.
#[tokio::test]
async fn states_differ_in_such_rooms() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut differed = 0;
    for _ in 0..10 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let mut play = Play::new(&RoomVersionId::V11).await;
        for step in &steps {
            play.step(step).await;
        }
        differed += usize::from(play.check(&[0, 1, 2, 3]).await);
    }
    assert!(differed >= 5, "{differed}");
}
