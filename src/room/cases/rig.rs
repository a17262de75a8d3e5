use std::{collections::HashSet, sync::Arc};

use base::Clock;
use event::{ClientFormat, Draft, Pdu};
use kv::{Db, Engine, flaky::Flaky, memory::Memory};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId, events::TimelineEventType};
use serde_json::{Value, json};

use crate::{
    CreateRoom, EventNum, EventRow, Once, Outgoing, Preset, Result, RoomNum, Rooms, Viewer, lookup::rules, rig,
};

pub use crate::rig::{raw, user};

/// One room on a fresh database, created by alice.
pub struct Rig {
    pub rooms: Rooms,
    pub clock: Clock,
    pub id: OwnedRoomId,
    pub num: RoomNum,
}

impl Rig {
    pub async fn new() -> Self {
        Self::on(Memory::new(), RoomVersionId::V11).await
    }

    pub async fn flaky() -> Self {
        Self::on(Flaky::new(Memory::new()), RoomVersionId::V11).await
    }

    pub async fn of_version(version: RoomVersionId) -> Self {
        Self::on(Memory::new(), version).await
    }

    async fn on(engine: Arc<dyn Engine>, version: RoomVersionId) -> Self {
        let clock = rig::clock();
        let rooms = rig::rooms(&Db::new(engine), &clock, Vec::new());
        let new = CreateRoom { version: Some(version), ..CreateRoom::new(user("alice"), Preset::PublicChat) };
        let id = rooms.create(&new).await.unwrap();
        let num = rooms.num(&rooms.db().view(), &id).await.unwrap();
        Self { rooms, clock, id, num }
    }

    async fn try_put(&self, sender: &str, draft: Draft, once: Option<Once>) -> Result<OwnedEventId> {
        self.clock.advance(1000);
        self.rooms.send(&self.id, &Outgoing { once, ..Outgoing::new(&user(sender), draft) }).await
    }

    pub async fn try_send(&self, sender: &str, kind: &str, content: &Value) -> Result<OwnedEventId> {
        self.try_put(sender, Draft::message(kind.into(), raw(content)), None).await
    }

    pub async fn send(&self, sender: &str, kind: &str, content: &Value) -> OwnedEventId {
        self.try_send(sender, kind, content).await.unwrap()
    }

    pub async fn send_once(&self, sender: &str, device: &str, body: &str, txn: &str) -> OwnedEventId {
        let content = json!({ "msgtype": "m.text", "body": body });
        let once = Once { device: device.into(), id: txn.into() };
        self.try_put(sender, Draft::message("m.room.message".into(), raw(&content)), Some(once)).await.unwrap()
    }

    pub async fn say(&self, sender: &str, body: &str) -> OwnedEventId {
        self.send(sender, "m.room.message", &json!({ "msgtype": "m.text", "body": body })).await
    }

    pub async fn state(&self, sender: &str, kind: &str, key: &str, content: &Value) -> OwnedEventId {
        self.try_put(sender, Draft::state(kind.into(), key, raw(content)), None).await.unwrap()
    }

    pub async fn member(&self, sender: &str, target: &str, membership: &str) -> OwnedEventId {
        self.state(sender, "m.room.member", user(target).as_str(), &json!({ "membership": membership })).await
    }

    pub async fn join(&self, name: &str) -> OwnedEventId {
        self.member(name, name, "join").await
    }

    /// An event as another server might send it, without the checks that local users are subject to.
    pub async fn foreign(&self, sender: &str, kind: &str, content: &Value) -> Arc<Pdu> {
        self.clock.advance(1000);
        let view = self.rooms.db().view();
        let tip = self.rooms.tip(&view, self.num).await.unwrap();
        let rules = rules(&self.rooms.info(&view, self.num).await.unwrap().version).unwrap();
        let sender = user(sender);
        let prev: Vec<_> = tip.extremities.iter().map(|extremity| extremity.id.clone()).collect();
        let place = event::Place {
            room_id: Some(&self.id),
            sender: &sender,
            prev_events: &prev,
            auth_events: &[],
            hashes: &[],
            depth: tip.next_depth(),
            origin_server_ts: crate::compose::timestamp(self.clock.now()),
            random: base::random::bytes(),
        };
        let draft = Draft::message(TimelineEventType::from(kind), raw(content));
        Arc::new(draft.build(&place, &self.rooms.signer, &rules).unwrap())
    }

    pub async fn append(&self, pdu: &Arc<Pdu>) -> EventNum {
        let mut tx = self.rooms.db().begin();
        let mut tip = self.rooms.tip(&tx, self.num).await.unwrap();
        let info = self.rooms.info(&tx, self.num).await.unwrap();
        let num = self.rooms.append(&mut tx, self.num, &info, &mut tip, pdu, None).await.unwrap();
        tx.commit().await.unwrap();
        num
    }

    pub async fn row(&self, id: &OwnedEventId) -> (EventNum, EventRow) {
        let view = self.rooms.db().view();
        let num = self.rooms.event_num(&view, self.num, id).await.unwrap();
        (num, self.rooms.row(&view, self.num, num).await.unwrap())
    }

    /// All events in timeline order.
    pub async fn all(&self) -> Vec<(EventNum, EventRow)> {
        let view = self.rooms.db().view();
        let from = crate::Place::MIN;
        let page = self.rooms.timeline(&view, self.num, from, crate::Direction::Forward, 1000).await.unwrap();
        page.events.into_iter().map(|(_, num, row)| (num, row)).collect()
    }

    /// Events as `name` gets them who ignores nobody.
    pub async fn seen(&self, name: &str) -> Vec<Value> {
        self.seen_ignoring(name, &[]).await
    }

    pub async fn seen_ignoring(&self, name: &str, ignored: &[&str]) -> Vec<Value> {
        let (view, user_id) = (self.rooms.db().view(), user(name));
        let ignored: HashSet<_> = ignored.iter().map(|name| user(name)).collect();
        let device = "DEVICE".into();
        let viewer = Viewer { user: &user_id, device: Some(device), now: self.clock.now(), ignored: &ignored };
        let rows = self.rooms.visible(&view, self.num, &viewer, self.all().await).await.unwrap();
        let json = self.rooms.present(&view, self.num, &viewer, &rows, ClientFormat::Full, true).await.unwrap();
        json.iter().map(|json| serde_json::from_slice(json).unwrap()).collect()
    }

    /// One event as `name` gets it, if they may see it.
    pub async fn find(&self, name: &str, id: &OwnedEventId) -> Option<Value> {
        self.seen(name).await.into_iter().find(|event| event["event_id"] == id.as_str())
    }

    /// Which messages `name` sees.
    pub async fn heard(&self, name: &str) -> Vec<String> {
        let seen = self.seen(name).await;
        seen.iter().filter_map(|event| Some(event["content"]["body"].as_str()?.to_owned())).collect()
    }
}
