use std::{collections::HashMap, sync::Arc};

use base::Clock;
use e2ee::{Keys, Mailbox};
use ephemeral::{Presence, Receipts, Typing};
use event::{Draft, Pdu, Place, RoomVersionRules, Signer};
use futures::future::BoxFuture;
use http::StatusCode;
use kv::{Db, memory::Memory};
use parking_lot::Mutex;
use room::{CreateRoom, Preset, RoomNum, Rooms};
use ruma::{EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, RoomVersionId, ServerName, UInt, UserId};
use serde_json::{Value, json, value::to_raw_value};

use crate::{
    Answer, Answers, Call, CallError, Checks, Client, Config, Edus, Inbound, OwnKeys, Policy, Queue, RemoteDevices,
    ServerKeys,
    keys::{Ask, AskError},
};

pub const NOW: u64 = 1_700_000_000_000;

type Said = Result<Value, StatusCode>;

/// What the other servers answer, by server and the beginning of the path; and what they were asked.
#[derive(Debug, Default)]
pub struct World {
    /// What a policy server signs with, and a word in events that it does not sign.
    pub policy: Mutex<Option<(Arc<Signer>, &'static str)>>,
    answers: Mutex<HashMap<(String, &'static str), Said>>,
    asked: Mutex<Vec<String>>,
}

impl World {
    pub fn answers(&self, server: &str, path: &'static str, answer: Value) {
        self.answers.lock().insert((server.to_owned(), path), Ok(answer));
    }

    pub fn fails(&self, server: &str, path: &'static str, status: StatusCode) {
        self.answers.lock().insert((server.to_owned(), path), Err(status));
    }

    fn sign(&self, to: &ServerName, call: &Call) -> Result<Answer, CallError> {
        self.asked.lock().push(format!("{to} sign"));
        let policy = self.policy.lock();
        let (signer, spam) = policy.as_ref().ok_or(CallError::Timeout)?;
        let json = call.body.clone().unwrap();
        if String::from_utf8_lossy(&json).contains(spam) {
            let body = json!({ "errcode": "M_FORBIDDEN", "error": "spam" }).to_string();
            let errcode = Some("M_FORBIDDEN".to_owned());
            let (status, body) = (StatusCode::BAD_REQUEST, body.into());
            return Err(CallError::Status { status, errcode, error: None, retry_after: None, body });
        }
        let rules = event::rules(&RoomVersionId::V11).unwrap();
        let signed = Pdu::parse(&json, &rules).unwrap().cosigned(signer, &rules).unwrap();
        let signature = self::json(&signed)["signatures"][to.as_str()]["ed25519:policy_server"].clone();
        let body = json!({ to.as_str(): { "ed25519:policy_server": signature } }).to_string();
        Ok(Answer { status: StatusCode::OK, headers: http::HeaderMap::new(), body: body.into() })
    }

    /// Server and endpoint of each question, in order.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock())
    }
}

impl Answers for World {
    fn answer<'a>(&'a self, to: &'a ServerName, call: Call) -> BoxFuture<'a, Result<Answer, CallError>> {
        if call.path_and_query == "/_matrix/policy/v1/sign" {
            return Box::pin(std::future::ready(self.sign(to, &call)));
        }
        let path = call.path_and_query.trim_start_matches("/_matrix/federation/v1/").to_owned();
        let endpoint = path.split('/').next().unwrap_or_default();
        self.asked.lock().push(format!("{to} {endpoint}"));
        let answers = self.answers.lock();
        let found = answers.iter().find(|((server, start), _)| server == to.as_str() && path.starts_with(start));
        let answer = match found.map_or(Err(StatusCode::NOT_FOUND), |(_, answer)| answer.clone()) {
            Ok(body) => {
                Ok(Answer { status: StatusCode::OK, headers: http::HeaderMap::new(), body: body.to_string().into() })
            }
            Err(status) => Err(CallError::Status {
                status,
                errcode: None,
                error: None,
                retry_after: None,
                body: bytes::Bytes::new(),
            }),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// `a.test` with a room of Alice's that `@bob:b.test` and `@carol:c.test` are in.
pub struct Rig {
    pub db: Db,
    pub clock: Clock,
    pub rooms: Rooms,
    pub id: OwnedRoomId,
    pub num: RoomNum,
    pub inbound: Inbound,
    pub world: Arc<World>,
    rules: RoomVersionRules,
}

pub fn signer(server: &str) -> Arc<Signer> {
    let seed = server.as_bytes().first().copied().unwrap_or_default();
    room::rig::signer(server, seed)
}

pub fn server(name: &str) -> &ServerName {
    name.try_into().unwrap()
}

impl Rig {
    pub async fn new() -> Self {
        let (db, clock, world) = (Db::new(Memory::new()), Clock::fixed(NOW), Arc::<World>::default());
        let rooms = room::rig::rooms_of(&db, &clock, signer("a.test"), Vec::new())
            .with_policy_servers(Arc::new(client(&clock, world.clone())));
        let new = CreateRoom {
            version: Some(RoomVersionId::V11),
            ..CreateRoom::new(UserId::parse("@alice:a.test").unwrap(), Preset::PublicChat)
        };
        let id = rooms.create(&new).await.unwrap();
        let num = rooms.num(&db.view(), &id).await.unwrap();
        let inbound = inbound(&rooms, &clock, world.clone()).await;
        let rules = event::rules(&RoomVersionId::V11).unwrap();
        let rig = Self { db, clock, rooms, id, num, inbound, world, rules };
        rig.join("bob:b.test").await;
        rig.join("carol:c.test").await;
        rig
    }

    /// The same after a restart.
    pub async fn restarted(self) -> Self {
        let inbound = inbound(&self.rooms, &self.clock, self.world.clone()).await;
        Self { inbound, ..self }
    }

    pub async fn join(&self, name: &str) {
        let user = format!("@{name}");
        let join = self.event(name, "m.room.member", Some(&user), json!({ "membership": "join" }), None).await;
        let origin = join.sender.server_name().to_owned();
        assert_eq!(self.push(origin.as_str(), "join", &[&join]).await, json!({ join.event_id.as_str(): {} }));
    }

    /// An event that somebody of another server makes, authorized by the room's state, after `prev` or the room's ends.
    pub async fn event(
        &self,
        sender: &str,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
        prev: Option<&[&EventId]>,
    ) -> Pdu {
        let view = self.db.view();
        let tip = self.rooms.tip(&view, self.num).await.unwrap();
        let sender = UserId::parse(format!("@{sender}")).unwrap();
        let (kind, content) = (kind.into(), to_raw_value(&content).unwrap());
        let mut auth = Vec::new();
        for (kind, key) in event::auth_types(&kind, &sender, state_key, &content, &self.rules).unwrap() {
            let found = self.rooms.state_event(&view, self.num, tip.state, &kind.to_string(), &key).await.unwrap();
            auth.extend(found.map(|pdu| pdu.event_id.clone()));
        }
        let ends: Vec<_> = match prev {
            Some(prev) => prev.iter().map(|id| (*id).to_owned()).collect(),
            None => tip.extremities.iter().map(|end| end.id.clone()).collect(),
        };
        let place = Place {
            room_id: Some(&self.id),
            sender: &sender,
            prev_events: &ends,
            auth_events: &auth,
            hashes: &[],
            depth: tip.next_depth(),
            origin_server_ts: MilliSecondsSinceUnixEpoch(UInt::new_saturating(NOW)),
            random: [0; 16],
        };
        let draft = Draft { kind, state_key: state_key.map(str::to_owned), content, redacts: None };
        draft.build(&place, &signer(sender.server_name().as_str()), &self.rules).unwrap()
    }

    pub async fn message(&self, sender: &str, body: &str, prev: Option<&[&EventId]>) -> Pdu {
        self.event(sender, "m.room.message", None, json!({ "msgtype": "m.text", "body": body }), prev).await
    }

    /// Sends a transaction; the results of its PDUs.
    pub async fn push(&self, origin: &str, txn_id: &str, pdus: &[&Pdu]) -> Value {
        let pdus: Vec<_> = pdus.iter().map(|pdu| json(pdu)).collect();
        self.send(origin, txn_id, &json!({ "pdus": pdus })).await["pdus"].clone()
    }

    pub async fn send(&self, origin: &str, txn_id: &str, body: &Value) -> Value {
        let body = body.to_string();
        let answer = self.inbound.transaction(server(origin), txn_id, body.as_bytes()).await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Ids of the events of the current state.
    pub async fn state(&self) -> Vec<OwnedEventId> {
        let view = self.db.view();
        let tip = self.rooms.tip(&view, self.num).await.unwrap();
        let mut all = Vec::new();
        for num in self.rooms.state_nums(&view, self.num, tip.state, None).await.unwrap() {
            all.push(self.rooms.pdu(&view, self.num, num).await.unwrap().event_id.clone());
        }
        all
    }

    /// Whether an event is part of the room.
    pub async fn shows(&self, pdu: &Pdu) -> bool {
        let view = self.db.view();
        match self.rooms.locate(&view, &pdu.event_id).await.unwrap() {
            Some(at) => self.rooms.row(&view, at.room, at.num).await.unwrap().meta.is_shown(),
            None => false,
        }
    }

    /// Whether there is anything of an event here.
    pub async fn has(&self, pdu: &Pdu) -> bool {
        self.rooms.locate(&self.db.view(), &pdu.event_id).await.unwrap().is_some()
    }
}

pub fn json(pdu: &Pdu) -> Value {
    serde_json::from_slice(pdu.json()).unwrap()
}

fn client(clock: &Clock, world: Arc<World>) -> Client {
    let config = Config::default();
    let outbound = outbound::Outbound::new(&config.outbound()).unwrap();
    Client::new(outbound, signer("a.test"), Policy::new(&config), clock.clone()).answered_by(world)
}

async fn inbound(rooms: &Rooms, clock: &Clock, world: Arc<World>) -> Inbound {
    let (db, own, client) = (rooms.db().clone(), rooms.server().to_owned(), client(clock, world));
    let ask = Ask::with(|_, _| async { Err(AskError("nobody answers".to_owned())) });
    let keys = ServerKeys::asking(db.clone(), clock.clone(), OwnKeys::new(signer("a.test"), Vec::new()), &[], ask);
    for name in ["b.test", "c.test", "d.test"] {
        let document = OwnKeys::new(signer(name), Vec::new()).document(NOW);
        keys.learn(&serde_json::to_vec(&document).unwrap()).await.unwrap();
    }
    let queue = Queue::new(db.clone(), clock.clone(), own.clone(), Arc::new(client.clone()));
    let (device_keys, mailbox) = (Keys::new(db.clone(), own.clone()), Mailbox::new(db.clone(), clock.clone(), own));
    let edus = Edus {
        typing: Typing::new(db.clone(), clock.clone()),
        receipts: Receipts::new(db.clone(), rooms.clone(), clock.clone()),
        presence: Presence::new(db.clone(), clock.clone(), true),
        devices: RemoteDevices::new(rooms.clone(), device_keys, mailbox, clock.clone(), client.clone(), queue),
    };
    Inbound::new(db, clock.clone(), rooms.clone(), client, Checks::new(keys, clock.clone()), edus)
}
