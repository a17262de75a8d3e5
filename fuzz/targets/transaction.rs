//! `PUT /send/{txnId}` of a hostile server that also answers what it is asked because of it.
//!
//! An even first byte: the rest is the body as it is. An odd one: the rest is a script, which makes well-signed events
//! that are pushed, held back until they are asked for, damaged, or lied about, and EDUs around texts of the fuzzer.
#![no_main]

mod common;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use common::events::{PART, Scene, event, wish};
use e2ee::{Keys, Mailbox};
use ephemeral::{Presence, Receipts, Typing};
use event::{Pdu, state_res::StateMap};
use federation::{
    Answer, Answers, Call, CallError, Checks, Client, Config, Edus, Inbound, OwnKeys, Policy, Queue, RemoteDevices,
    ServerKeys,
    keys::{Ask, AskError},
};
use futures::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use room::{RoomNum, Rooms, rig};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId, ServerName, events::StateEventType, server_name};

const EDU_TYPES: [&str; 8] = [
    "m.typing",
    "m.receipt",
    "m.presence",
    "m.direct_to_device",
    "m.device_list_update",
    "m.signing_key_update",
    "org.matrix.signing_key_update",
    "x",
];

/// What the other server has, and which lies it tells.
#[derive(Debug, Default)]
struct Remote {
    events: HashMap<OwnedEventId, Arc<Pdu>>,
    order: Vec<OwnedEventId>,
    held: Vec<OwnedEventId>,
    state: Vec<OwnedEventId>,
    lies: u8,
}

impl Remote {
    fn json(&self, ids: &[OwnedEventId]) -> String {
        let all = ids.iter().filter_map(|id| self.events.get(id));
        all.map(|pdu| String::from_utf8_lossy(pdu.json()).into_owned()).collect::<Vec<_>>().join(",")
    }

    fn ids(&self, ids: &[OwnedEventId]) -> String {
        ids.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(",")
    }

    fn body(&self, path: &str) -> Option<String> {
        let after = |what: &str| path.split(what).nth(1);
        let all = self.json(&self.order);
        if after("/get_missing_events/").is_some() && self.lies & 1 == 0 {
            return Some(format!(r#"{{"events":[{}]}}"#, self.json(&self.held)));
        }
        if after("/event_auth/").is_some() && self.lies & 2 == 0 {
            return Some(format!(r#"{{"auth_chain":[{all}]}}"#));
        }
        if after("/state_ids/").is_some() && self.lies & 4 == 0 {
            let (state, chain) = (self.ids(&self.state), self.ids(&self.order));
            return Some(format!(r#"{{"pdu_ids":[{state}],"auth_chain_ids":[{chain}]}}"#));
        }
        if after("/state/").is_some() && self.lies & 8 == 0 {
            return Some(format!(r#"{{"pdus":[{}],"auth_chain":[{all}]}}"#, self.json(&self.state)));
        }
        let id = OwnedEventId::try_from(after("/event/")?.split('?').next()?.replace("%24", "$")).ok()?;
        // Some other event, perhaps.
        let id = if self.lies & 16 == 0 { &id } else { self.order.first()? };
        Some(format!(r#"{{"pdus":[{}]}}"#, self.json(std::slice::from_ref(id))))
    }
}

impl Answers for Remote {
    fn answer<'a>(&'a self, _: &'a ServerName, call: Call) -> BoxFuture<'a, Result<Answer, CallError>> {
        let answer = match self.body(&call.path_and_query) {
            Some(body) => {
                Ok(Answer { status: http::StatusCode::OK, headers: http::HeaderMap::new(), body: body.into() })
            }
            None => Err(CallError::BadAnswer("a lie".to_owned())),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// The room as it begins.
struct Stage {
    rooms: Rooms,
    id: OwnedRoomId,
    num: RoomNum,
    rules: event::RoomVersionRules,
}

impl Stage {
    /// The state of the room, as the other server knows it.
    async fn state(&self) -> StateMap {
        let view = self.rooms.db().view();
        let tip = self.rooms.tip(&view, self.num).await.expect("a tip");
        let mut state = StateMap::new();
        for num in self.rooms.state_nums(&view, self.num, tip.state, None).await.expect("a state") {
            let pdu = self.rooms.pdu(&view, self.num, num).await.expect("an event");
            let key = pdu.state_key.clone().unwrap_or_default();
            state.insert((StateEventType::from(pdu.kind.to_string()), key), pdu.event_id.clone());
        }
        state
    }

    /// What a script makes: what the other server has, and the body that it sends.
    async fn script(&self, data: &[u8]) -> (Remote, Vec<u8>) {
        let mut known = common::events_of(&self.rooms, self.num).await;
        let mut ends = vec![known[known.len() - 1].clone()];
        let mut state = self.state().await;
        let (mut remote, mut pushed, mut edus) = (Remote::default(), Vec::new(), Vec::new());
        let mut rest = data;
        while let Some((part, after)) = rest.split_at_checked(PART + 1) {
            let (what, part) = (part[0], &part[1..]);
            rest = after;
            if what & 7 == 7 {
                let (text, after) = rest.split_at(rest.len().min(usize::from(part[1])));
                rest = after;
                let kind = EDU_TYPES[usize::from(part[0]) % EDU_TYPES.len()];
                let content = String::from_utf8_lossy(text).replace("!ROOM", self.id.as_str());
                edus.push(format!(r#"{{"edu_type":"{kind}","content":{content}}}"#));
                continue;
            }
            if what & 7 == 6 {
                remote.lies = part[0];
                continue;
            }
            let depth = u64::try_from(known.len()).unwrap_or(0);
            let scene = Scene { room: &self.id, rules: &self.rules, known: &known, ends: &ends, depth };
            let Some(wish) = wish(part, &scene) else { continue };
            let selected = wish.wanted.iter().filter_map(|key| state.get(key)).cloned().collect();
            let Some(pdu) = event(part, &wish, selected, &scene) else { continue };
            if let Some(key) = &pdu.state_key
                && what & 64 == 0
            {
                state.insert((StateEventType::from(pdu.kind.to_string()), key.clone()), pdu.event_id.clone());
            }
            known.push(pdu.event_id.clone());
            ends =
                if what & 32 == 0 { vec![pdu.event_id.clone()] } else { [ends, vec![pdu.event_id.clone()]].concat() };
            match what & 3 {
                0 | 1 => pushed.push(String::from_utf8_lossy(pdu.json()).into_owned()),
                2 => remote.held.push(pdu.event_id.clone()),
                // As it is when somebody has changed it on the way.
                _ => pushed.push(String::from_utf8_lossy(pdu.json()).replacen("\"body\":\"x\"", "\"body\":\"y\"", 1)),
            }
            remote.order.push(pdu.event_id.clone());
            remote.events.insert(pdu.event_id.clone(), Arc::new(pdu));
        }
        remote.state = state.into_values().collect();
        remote.state.sort();
        let body = format!(
            r#"{{"origin":"b.test","origin_server_ts":1,"pdus":[{}],"edus":[{}]}}"#,
            pushed.join(","),
            edus.join(",")
        );
        (remote, body.into_bytes())
    }

    /// What takes transactions in, with everything behind it.
    async fn inbound(&self, remote: Remote) -> Inbound {
        let (db, clock) = (self.rooms.db().clone(), rig::clock());
        let own = self.rooms.server().to_owned();
        let config = Config { allow_private_addresses: true, ..Config::default() };
        let signer = rig::signer("a.test", 1);
        let client =
            Client::new(outbound(), signer.clone(), Policy::new(&config), clock.clone()).answered_by(Arc::new(remote));
        let ask = Ask::with(|_, _| async { Err(AskError("nobody answers".to_owned())) });
        let keys = ServerKeys::asking(db.clone(), clock.clone(), OwnKeys::new(signer, Vec::new()), &[], ask);
        for server in ["b.test", "c.test"] {
            let document = OwnKeys::new(rig::signer(server, 1), Vec::new()).document(clock.now());
            keys.learn(&serde_json::to_vec(&document).expect("JSON")).await.expect("a good document");
        }
        let queue = Queue::new(db.clone(), clock.clone(), own.clone(), Arc::new(client.clone()));
        let device_keys = Keys::new(db.clone(), own.clone());
        let mailbox = Mailbox::new(db.clone(), clock.clone(), own);
        let edus = Edus {
            typing: Typing::new(db.clone(), clock.clone()),
            receipts: Receipts::new(db.clone(), self.rooms.clone(), clock.clone()),
            presence: Presence::new(db.clone(), clock.clone(), true),
            devices: RemoteDevices::new(self.rooms.clone(), device_keys, mailbox, clock.clone(), client.clone(), queue),
        };
        let checks = Checks::new(keys, clock.clone());
        Inbound::new(db, clock, self.rooms.clone(), client, checks, edus)
    }
}

fn outbound() -> outbound::Outbound {
    static OUTBOUND: std::sync::OnceLock<outbound::Outbound> = std::sync::OnceLock::new();
    let make = || outbound::Outbound::new(&Config::default().outbound()).expect("an HTTP client");
    OUTBOUND.get_or_init(make).clone()
}

async fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let versions = [RoomVersionId::V11, RoomVersionId::V12, RoomVersionId::V10, RoomVersionId::V6];
    let version = versions[usize::from(*first >> 6)].clone();
    let Some(rules) = event::rules(&version) else { return };
    let db = common::database();
    let (rooms, id) = common::room(&db, version).await;
    let num = rooms.num(&db.view(), &id).await.expect("the room is there");
    let stage = Stage { rooms, id, num, rules };
    let (remote, body) = match first & 1 {
        0 => (Remote::default(), Bytes::copy_from_slice(rest)),
        _ => {
            let (remote, body) = stage.script(rest).await;
            (remote, body.into())
        }
    };
    let inbound = stage.inbound(remote).await;
    let origin = server_name!("b.test");
    if let Ok(answer) = inbound.transaction(origin, "1", &body).await {
        assert_eq!(inbound.transaction(origin, "1", &body).await.ok(), Some(answer), "the same answer again");
    }
    common::assert_sound(&stage.rooms, &stage.id, stage.num).await;
}

fuzz_target!(|data: &[u8]| common::run(run(data)));
