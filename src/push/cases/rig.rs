use std::sync::Arc;

use ephemeral::{ReceiptKind, Receipts, Thread};
use event::Draft;
use futures::future::BoxFuture;
use kv::{Commit, Db, Engine, Observer, Pending, Range, Read, Snapshot, WriterId, flaky::Flaky, memory::Memory};
pub use room::rig::user;
use room::{CreateRoom, MemberAction, MemberChange, MemberProfile, Outgoing, Preset, RoomNum, Rooms, rig};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId};
use serde_json::{Value, json, value::to_raw_value};

use crate::{
    Counts, CountsProjection, Reader, RoomCounts, Rules, Unread,
    tables::{TRACES, Traces},
};

/// A public room of alice's.
pub struct Rig {
    pub db: Db,
    pub rooms: Rooms,
    pub receipts: Receipts,
    pub rules: Rules,
    pub counts: Counts,
    pub id: OwnedRoomId,
    pub num: RoomNum,
}

pub fn unread(notifications: u64, highlights: u64) -> Unread {
    Unread { notifications, highlights }
}

pub fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

pub fn in_thread(mut content: Value, root: &OwnedEventId) -> Value {
    content["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
    content
}

/// An engine that lets others run before each commit.
#[derive(Debug)]
struct Slow(Arc<dyn Engine>);

impl Engine for Slow {
    fn writer(&self) -> WriterId {
        self.0.writer()
    }

    fn durable(&self) -> Arc<dyn Snapshot> {
        self.0.durable()
    }

    fn validated(&self) -> Arc<dyn Snapshot> {
        self.0.validated()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, kv::Result<Pending>> {
        Box::pin(async {
            tokio::task::yield_now().await;
            self.0.commit(commit).await
        })
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.0.observe(observer);
    }

    fn reclaim<'a>(&'a self, range: &'a Range) -> BoxFuture<'a, kv::Result<()>> {
        self.0.reclaim(range)
    }
}

impl Rig {
    pub async fn new() -> Self {
        Self::on(Memory::new()).await
    }

    pub async fn flaky() -> Self {
        Self::on(Flaky::new(Memory::new())).await
    }

    /// Others go on while a transaction is about to commit.
    pub async fn slow() -> Self {
        Self::on(Arc::new(Slow(Memory::new()))).await
    }

    async fn on(engine: Arc<dyn Engine>) -> Self {
        let (clock, db) = (rig::clock(), Db::new(engine));
        let projection = CountsProjection::new("hearth.test".try_into().unwrap());
        let rooms = rig::rooms(&db, &clock, vec![Box::new(projection)]);
        let receipts = Receipts::new(db.clone(), rooms.clone(), clock);
        let new =
            CreateRoom { version: Some(RoomVersionId::V11), ..CreateRoom::new(user("alice"), Preset::PublicChat) };
        let id = rooms.create(&new).await.unwrap();
        let num = rooms.num(&db.view(), &id).await.unwrap();
        let rules = Rules::new(db.clone(), rooms.clone());
        let counts = Counts::new(rooms.clone(), receipts.clone());
        Self { db, rooms, receipts, rules, counts, id, num }
    }

    pub async fn send(&self, sender: &str, kind: &str, content: Value) -> OwnedEventId {
        let draft = Draft::message(kind.into(), to_raw_value(&content).unwrap());
        self.rooms.send(&self.id, &Outgoing::new(&user(sender), draft)).await.unwrap()
    }

    pub async fn say(&self, sender: &str, body: &str) -> OwnedEventId {
        self.send(sender, "m.room.message", text(body)).await
    }

    pub async fn state(&self, sender: &str, kind: &str, content: Value) -> OwnedEventId {
        let draft = Draft::state(kind.into(), "", to_raw_value(&content).unwrap());
        self.rooms.send(&self.id, &Outgoing::new(&user(sender), draft)).await.unwrap()
    }

    pub async fn member(&self, name: &str, action: MemberAction, displayname: Option<&str>) {
        let profile = MemberProfile { displayname: displayname.map(str::to_owned), avatar_url: None };
        let change = MemberChange::own(user(name), action).with_profile(profile);
        self.rooms.change_member(&self.id, &change).await.unwrap();
    }

    pub async fn join(&self, name: &str) {
        self.member(name, MemberAction::Join, Some(name)).await;
    }

    pub async fn redact(&self, sender: &str, target: &OwnedEventId) -> OwnedEventId {
        self.rooms.redact(&self.id, &user(sender), target, None, None).await.unwrap()
    }

    pub async fn read(&self, name: &str, kind: ReceiptKind, thread: Thread, event: &OwnedEventId) {
        self.receipts.set(&user(name), &self.id, kind, &thread, event).await.unwrap();
    }

    pub async fn counts(&self, name: &str) -> RoomCounts {
        let view = self.db.view();
        let reader = Reader::of(&view, &user(name)).await.unwrap();
        self.counts.of(&view, &reader, self.num, true).await.unwrap()
    }

    /// Makes it unknown whether there is anything of theirs, as of those who joined before traces were kept.
    pub async fn forget_traces(&self, name: &str) {
        let mut tx = self.db.begin();
        let written = tx.get(&TRACES, (self.num, user(name))).await.unwrap().and_then(|traces| traces.written);
        tx.put(&TRACES, (self.num, user(name)), &Traces { written, ..Traces::UNKNOWN });
        tx.commit().await.unwrap();
    }

    pub async fn total(&self, name: &str) -> Unread {
        self.counts(name).await.total
    }

    /// The newest event, as JSON, with its id.
    pub async fn newest(&self) -> (OwnedEventId, Value) {
        let view = self.db.view();
        let page = self.rooms.timeline(&view, self.num, room::Place::MAX, room::Direction::Backward, 1).await.unwrap();
        let (_, _, row) = page.events.into_iter().next().unwrap();
        let json = serde_json::from_slice(&row.event.json()).unwrap();
        (OwnedEventId::try_from(row.event.event_id()).unwrap(), json)
    }
}
