use std::sync::Arc;

use base::Clock;
use event::{Draft, Pdu};
use kv::{Db, memory::Memory};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId, events::TimelineEventType};
use serde_json::{Value, json};

use super::rig::{raw, user};
use crate::{
    CreateRoom, Direction, EventRow, Ingested, Outgoing, Place, Preset, RemoteState, Rooms, lookup::rules, rig,
};

/// A room of `alice:a.test` that `bob:b.test` has joined through her server.
pub struct Pair {
    pub a: Rooms,
    pub b: Rooms,
    pub id: OwnedRoomId,
    clock: Clock,
    version: RoomVersionId,
}

pub fn server(name: &str, seed: u8, clock: &Clock) -> Rooms {
    rig::rooms_of(&Db::new(Memory::new()), clock, rig::signer(name, seed), Vec::new())
}

impl Pair {
    pub async fn new(version: RoomVersionId) -> Self {
        let clock = rig::clock();
        let (a, b) = (server("a.test", 1, &clock), server("b.test", 2, &clock));
        let new =
            CreateRoom { version: Some(version.clone()), ..CreateRoom::new(user("alice:a.test"), Preset::PublicChat) };
        let id = a.create(&new).await.unwrap();
        let pair = Self { a, b, id, clock, version };
        pair.enter().await;
        pair
    }

    /// Bob's server joins through Alice's.
    pub async fn enter(&self) {
        let join = self.join_event("bob:b.test").await;
        let before = self.state(&self.a).await;
        assert!(matches!(self.give(&self.a, &join).await, Ingested::Accepted(_)));
        let remote = RemoteState { version: self.version.clone(), auth_chain: before.clone(), state: before };
        self.b.install(&self.id, &remote, &join).await.unwrap();
    }

    async fn join_event(&self, name: &str) -> Arc<Pdu> {
        let sender = user(name);
        let draft = Draft::state(TimelineEventType::RoomMember, sender.as_str(), raw(&json!({ "membership": "join" })));
        self.foreign(&sender, &draft, &[]).await
    }

    async fn foreign(&self, sender: &ruma::UserId, draft: &Draft, cited: &[OwnedEventId]) -> Arc<Pdu> {
        let view = self.a.db().view();
        let room = self.a.num(&view, &self.id).await.unwrap();
        let tip = self.a.tip(&view, room).await.unwrap();
        let rules = rules(&self.version).unwrap();
        let mut auth = cited.to_vec();
        for (kind, key) in
            event::auth_types(&draft.kind, sender, draft.state_key.as_deref(), &draft.content, &rules).unwrap()
        {
            let found = self.a.state_event(&view, room, tip.state, &kind.to_string(), &key).await.unwrap();
            auth.extend(found.map(|pdu| pdu.event_id.clone()));
        }
        let prev: Vec<_> = tip.extremities.iter().map(|extremity| extremity.id.clone()).collect();
        let place = event::Place {
            room_id: Some(&self.id),
            sender,
            prev_events: &prev,
            auth_events: &auth,
            hashes: &[],
            depth: tip.next_depth(),
            origin_server_ts: crate::compose::timestamp(self.clock.now()),
            random: [3; 16],
        };
        Arc::new(draft.build(&place, &self.b.signer, &rules).unwrap())
    }

    /// An event of a user of any server on top of Alice's room.
    pub async fn foreign_from(&self, name: &str, draft: &Draft) -> Arc<Pdu> {
        self.foreign(&user(name), draft, &[]).await
    }

    pub fn version(&self) -> RoomVersionId {
        self.version.clone()
    }

    /// An event that Bob's server makes on top of Alice's room without asking anybody, citing `cited` as well.
    pub async fn forge(&self, name: &str, kind: &str, content: &Value, cited: &[OwnedEventId]) -> Arc<Pdu> {
        let state_key = (kind != "m.room.message").then(String::new);
        let draft = Draft { kind: kind.into(), state_key, content: raw(content), redacts: None };
        self.foreign(&user(name), &draft, cited).await
    }

    /// A local user of `side` sends an event; the event as others would get it.
    pub async fn send(&self, side: &Rooms, sender: &str, draft: Draft) -> Arc<Pdu> {
        self.clock.advance(1000);
        let id = side.send(&self.id, &Outgoing::new(&user(sender), draft)).await.unwrap();
        self.pdu(side, &id).await
    }

    pub async fn say(&self, side: &Rooms, sender: &str, body: &str) -> Arc<Pdu> {
        let content = raw(&json!({ "msgtype": "m.text", "body": body }));
        self.send(side, sender, Draft::message("m.room.message".into(), content)).await
    }

    pub async fn set(&self, side: &Rooms, sender: &str, kind: &str, content: &Value) -> Arc<Pdu> {
        self.send(side, sender, Draft::state(kind.into(), "", raw(content))).await
    }

    pub async fn give(&self, side: &Rooms, pdu: &Arc<Pdu>) -> Ingested {
        side.ingest(&self.id, pdu, None).await.unwrap()
    }

    pub async fn pdu(&self, side: &Rooms, id: &OwnedEventId) -> Arc<Pdu> {
        let view = side.db().view();
        let room = side.num(&view, &self.id).await.unwrap();
        let num = side.event_num(&view, room, id).await.unwrap();
        side.pdu(&view, room, num).await.unwrap()
    }

    /// The events of the current state.
    pub async fn state(&self, side: &Rooms) -> Vec<Arc<Pdu>> {
        let view = side.db().view();
        let room = side.num(&view, &self.id).await.unwrap();
        let root = side.tip(&view, room).await.unwrap().state;
        let mut all = Vec::new();
        for num in side.state_nums(&view, room, root, None).await.unwrap() {
            all.push(side.pdu(&view, room, num).await.unwrap());
        }
        all.sort_by(|a, b| a.event_id.cmp(&b.event_id));
        all
    }

    pub async fn ids(&self, side: &Rooms) -> Vec<OwnedEventId> {
        self.state(side).await.into_iter().map(|pdu| pdu.event_id.clone()).collect()
    }

    /// The timeline in order, read forward, gaps or not.
    pub async fn timeline(&self, side: &Rooms) -> Vec<EventRow> {
        let view = side.db().view();
        let room = side.num(&view, &self.id).await.unwrap();
        let page = side.timeline(&view, room, Place::MIN, Direction::Forward, 1000).await.unwrap();
        page.events.into_iter().map(|(_, _, row)| row).collect()
    }

    pub async fn ends(&self, side: &Rooms) -> usize {
        let view = side.db().view();
        let room = side.num(&view, &self.id).await.unwrap();
        side.tip(&view, room).await.unwrap().extremities.len()
    }
}
