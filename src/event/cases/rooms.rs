//! A small room in memory, for tests: sends events, keeps the state after each, remembers all.

use std::{collections::HashMap, sync::Arc};

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UInt, UserId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::RoomVersionRules,
};
use serde_json::{Value, json, value::RawValue};

use crate::{
    Denied, Draft, Pdu, Place, Signer, auth_types, authorize, check_auth_events, reference_hash, rules,
    state_res::{StateMap, full_auth_chain, resolve},
};

pub(crate) fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

pub(crate) fn signer_of(server: &str) -> Signer {
    let seed: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
    Signer::new(server.try_into().unwrap(), "ed25519:1".try_into().unwrap(), &seed)
}

pub(crate) fn versions() -> impl Iterator<Item = (RoomVersionId, RoomVersionRules)> {
    crate::version::SUPPORTED.into_iter().map(|version| {
        let rules = rules(&version).unwrap();
        (version, rules)
    })
}

pub(crate) fn user(name: &str) -> OwnedUserId {
    let server = name.split_once('.').map_or("hearth.test", |(_, server)| server);
    let name = name.split('.').next().unwrap();
    UserId::parse(format!("@{name}:{server}")).unwrap()
}

/// A room as one server sees it.
pub(crate) struct TestRoom {
    pub(crate) rules: RoomVersionRules,
    pub(crate) room_id: Option<OwnedRoomId>,
    pub(crate) events: HashMap<OwnedEventId, Arc<Pdu>>,
    /// The state after each event.
    pub(crate) after: HashMap<OwnedEventId, StateMap>,
    /// The time of the next event; only moves when a test moves it, or by `send`.
    pub(crate) clock: u64,
    counter: u64,
}

impl TestRoom {
    /// A room that exists and has nobody in it but its creator, `@alice:hearth.test`.
    pub(crate) fn new(version: &RoomVersionId) -> (Self, OwnedEventId) {
        let rules = rules(version).unwrap();
        let mut room = Self {
            room_id: (!rules.authorization.room_create_event_id_as_room_id)
                .then(|| RoomId::parse("!room:hearth.test").unwrap()),
            rules,
            events: HashMap::new(),
            after: HashMap::new(),
            clock: 1_000,
            counter: 0,
        };
        let mut content = json!({ "room_version": version });
        if !room.rules.authorization.use_room_create_sender {
            content["creator"] = json!("@alice:hearth.test");
        }
        let create = room.send(&[], "alice", "m.room.create", Some(""), content).unwrap();
        let join = room.member(&[create], "alice", "alice", "join").unwrap();
        (room, join)
    }

    /// A room with a moderator `mia` (50), plain users `bob` and `carol.other.test`, and this join
    /// rule, which is set last.
    pub(crate) fn furnished(version: &RoomVersionId, join_rule: &str) -> (Self, OwnedEventId) {
        let (mut room, mut tip) = Self::new(version);
        let mut levels = json!({ "users": { user("mia"): 50 } });
        if !room.rules.authorization.explicitly_privilege_room_creators {
            levels["users"]["@alice:hearth.test"] = json!(100);
        }
        tip = room.send(&[tip], "alice", "m.room.power_levels", Some(""), levels).unwrap();
        tip = room.send(&[tip], "alice", "m.room.join_rules", Some(""), json!({ "join_rule": "public" })).unwrap();
        for name in ["mia", "bob", "carol.other.test"] {
            tip = room.member(&[tip], name, name, "join").unwrap();
        }
        if join_rule != "public" {
            tip = room.send(&[tip], "alice", "m.room.join_rules", Some(""), json!({ "join_rule": join_rule })).unwrap();
        }
        (room, tip)
    }

    pub(crate) fn state_before(&self, prev: &[OwnedEventId]) -> StateMap {
        let states: Vec<_> = prev.iter().map(|id| self.after[id].clone()).collect();
        match states.as_slice() {
            [] => StateMap::new(),
            [one] => one.clone(),
            many => self.resolve(many),
        }
    }

    /// Builds an event on these parents, without any check, and without adding it.
    pub(crate) fn build(
        &mut self,
        prev: &[OwnedEventId],
        sender: &str,
        kind: &str,
        state_key: Option<&str>,
        content: &Value,
    ) -> Pdu {
        let state = self.state_before(prev);
        let sender = user(sender);
        let kind = TimelineEventType::from(kind);
        let types = auth_types(&kind, &sender, state_key, &raw(content), &self.rules).unwrap_or_default();
        let auth: Vec<_> = types.iter().filter_map(|key| state.get(key).cloned()).collect();
        let hashes: Vec<_> = prev
            .iter()
            .chain(&auth)
            .map(|id| (id.clone(), reference_hash(self.events[id].json(), &self.rules)))
            .collect();
        self.counter += 1;
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.counter.to_be_bytes());
        let draft = Draft { kind, state_key: state_key.map(ToOwned::to_owned), content: raw(content), redacts: None };
        let place = Place {
            room_id: self.room_id.as_deref(),
            sender: &sender,
            prev_events: prev,
            auth_events: &auth,
            hashes: &hashes,
            depth: prev.iter().map(|id| self.events[id].depth).max().unwrap_or_default() + 1,
            origin_server_ts: MilliSecondsSinceUnixEpoch(UInt::try_from(self.clock).unwrap()),
            random,
        };
        draft.build(&place, &signer_of(sender.server_name().as_str()), &self.rules).unwrap()
    }

    pub(crate) fn check(&self, pdu: &Pdu) -> Result<(), Denied> {
        let state = self.state_before(&pdu.prev_events);
        check_auth_events(pdu, &self.rules, |id| self.events.get(id).cloned())?;
        let named: HashMap<_, _> = pdu
            .auth_events
            .iter()
            .cloned()
            .chain(crate::create_event_id(&pdu.room_id))
            .filter_map(|id| self.events.get(&id))
            .map(|event| ((StateEventType::from(event.kind.to_string()), event.state_key.clone().unwrap()), event))
            .collect();
        authorize(pdu, &self.rules, |kind, key| {
            named.get(&(kind.clone(), key.to_owned())).map(|event| Arc::clone(event))
        })?;
        authorize(pdu, &self.rules, |kind, key| self.events.get(state.get(&(kind.clone(), key.to_owned()))?).cloned())
    }

    pub(crate) fn add(&mut self, pdu: Pdu) -> OwnedEventId {
        let mut state = self.state_before(&pdu.prev_events);
        if let Some(key) = &pdu.state_key {
            state.insert((StateEventType::from(pdu.kind.to_string()), key.clone()), pdu.event_id.clone());
        }
        let id = pdu.event_id.clone();
        self.room_id.get_or_insert_with(|| pdu.room_id.clone());
        self.after.insert(id.clone(), state);
        self.events.insert(id.clone(), Arc::new(pdu));
        id
    }

    /// Builds, checks and adds an event.
    #[expect(clippy::needless_pass_by_value, reason = "callers have a `json!` at hand")]
    pub(crate) fn send(
        &mut self,
        prev: &[OwnedEventId],
        sender: &str,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Result<OwnedEventId, Denied> {
        self.clock += 1;
        let pdu = self.build(prev, sender, kind, state_key, &content);
        self.check(&pdu)?;
        Ok(self.add(pdu))
    }

    pub(crate) fn member(
        &mut self,
        prev: &[OwnedEventId],
        sender: &str,
        target: &str,
        membership: &str,
    ) -> Result<OwnedEventId, Denied> {
        self.send(prev, sender, "m.room.member", Some(user(target).as_str()), json!({ "membership": membership }))
    }

    pub(crate) fn fetch(&self) -> impl Fn(&EventId) -> Option<Arc<Pdu>> {
        |id| self.events.get(id).cloned()
    }

    pub(crate) fn auth_events(&self) -> impl Fn(&EventId) -> Option<Vec<OwnedEventId>> {
        |id| self.events.get(id).map(|pdu| pdu.auth_events.clone())
    }

    pub(crate) fn resolve(&self, states: &[StateMap]) -> StateMap {
        let chains = states.iter().map(|state| full_auth_chain(state, self.auth_events()).unwrap()).collect();
        resolve(&self.rules, states, chains, self.fetch()).unwrap()
    }
}
