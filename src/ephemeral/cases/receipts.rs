use base::Clock;
use event::Draft;
use kv::{Db, Stamp, Topic, WriterId, flaky::Flaky, memory::Memory};
use room::{CreateRoom, MemberAction, MemberChange, Outgoing, Preset, RoomNum, Rooms};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId};
use serde_json::{Value, json, value::to_raw_value};

use super::{Ears, START, user};
use crate::{EphemeralError, ReceiptKind, Receipts, Result, Thread};

/// A room of alice's in which bob is too.
struct Rig {
    receipts: Receipts,
    rooms: Rooms,
    db: Db,
    id: OwnedRoomId,
    num: RoomNum,
}

async fn rig() -> Rig {
    let (db, clock) = (Db::new(Flaky::new(Memory::new())), Clock::fixed(START));
    let rooms = room::rig::rooms(&db, &clock, Vec::new());
    let new = CreateRoom { version: Some(RoomVersionId::V11), ..CreateRoom::new(user("alice"), Preset::PublicChat) };
    let id = rooms.create(&new).await.unwrap();
    rooms.change_member(&id, &MemberChange::own(user("bob"), MemberAction::Join)).await.unwrap();
    let num = rooms.num(&db.view(), &id).await.unwrap();
    let receipts = Receipts::new(db.clone(), rooms.clone(), clock);
    Rig { receipts, rooms, db, id, num }
}

impl Rig {
    async fn say(&self, content: Value) -> OwnedEventId {
        let draft = Draft::message("org.example.text".into(), to_raw_value(&content).unwrap());
        self.rooms.send(&self.id, &Outgoing::new(&user("alice"), draft)).await.unwrap()
    }

    async fn relate(&self, kind: &str, to: &OwnedEventId) -> OwnedEventId {
        self.say(json!({ "body": "b", "m.relates_to": { "rel_type": kind, "event_id": to } })).await
    }

    async fn read(&self, kind: ReceiptKind, thread: Thread, event: &OwnedEventId) -> Result<()> {
        self.receipts.set(&user("bob"), &self.id, kind, &thread, event).await
    }

    /// The events of bob's receipts, with kind and thread.
    async fn all(&self) -> Vec<(ReceiptKind, Thread, OwnedEventId)> {
        let all = self.receipts.all(&self.db.view(), self.num).await.unwrap();
        all.into_iter().map(|receipt| (receipt.kind, receipt.thread, receipt.row.event)).collect()
    }

    fn at(&self, n: u64) -> Stamp {
        Stamp { writer: WriterId(1), n }
    }
}

#[tokio::test]
async fn a_receipt_moves_on_and_never_back() {
    let rig = rig().await;
    let (first, second) = (rig.say(json!({ "body": "1" })).await, rig.say(json!({ "body": "2" })).await);
    for event in [&first, &second, &first] {
        rig.read(ReceiptKind::Public, Thread::Unthreaded, event).await.unwrap();
    }
    assert_eq!(rig.all().await, [(ReceiptKind::Public, Thread::Unthreaded, second)]);
}

#[tokio::test]
async fn kinds_and_threads_are_receipts_of_their_own() {
    let rig = rig().await;
    let root = rig.say(json!({ "body": "root" })).await;
    let reply = rig.relate("m.thread", &root).await;
    rig.read(ReceiptKind::Public, Thread::Unthreaded, &root).await.unwrap();
    rig.read(ReceiptKind::Public, Thread::Main, &root).await.unwrap();
    rig.read(ReceiptKind::Public, Thread::Root(root.clone()), &reply).await.unwrap();
    rig.read(ReceiptKind::Private, Thread::Unthreaded, &reply).await.unwrap();
    let mut expected = vec![
        (ReceiptKind::Public, Thread::Unthreaded, root.clone()),
        (ReceiptKind::Public, Thread::Main, root.clone()),
        (ReceiptKind::Public, Thread::Root(root), reply.clone()),
        (ReceiptKind::Private, Thread::Unthreaded, reply),
    ];
    let mut all = rig.all().await;
    for list in [&mut all, &mut expected] {
        list.sort_by_key(|(kind, thread, _)| (kind.code(), thread.clone()));
    }
    assert_eq!(all, expected);
    let of_bob = rig.receipts.of_user(&rig.db.view(), rig.num, &user("bob")).await.unwrap();
    assert_eq!((of_bob.len(), of_bob[0].user.clone()), (4, user("bob")));
    assert!(rig.receipts.of_user(&rig.db.view(), rig.num, &user("alice")).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_receipt_stands_once_in_the_log_where_it_last_moved() {
    let rig = rig().await;
    let mut positions = vec![rig.db.positions().of(WriterId(1))];
    for n in 0..3 {
        let event = rig.say(json!({ "body": n })).await;
        rig.read(ReceiptKind::Public, Thread::Unthreaded, &event).await.unwrap();
        positions.push(rig.db.positions().of(WriterId(1)));
    }
    let between = async |from: u64, to: u64| {
        let view = rig.db.view();
        let found = rig.receipts.between(&view, rig.num, rig.at(from + 1), rig.at(to + 1)).await.unwrap();
        let own = rig.receipts.own_rooms(&view, &user("bob"), rig.at(from + 1), rig.at(to + 1)).await.unwrap();
        assert_eq!(own, vec![rig.num; found.len()]);
        found.len()
    };
    assert_eq!(between(positions[0], positions[3]).await, 1);
    assert_eq!(between(positions[0], positions[2]).await, 0, "it moved on");
    assert_eq!(between(positions[2], positions[3]).await, 1);
}

#[tokio::test]
async fn a_private_receipt_is_announced_to_its_user_alone() {
    let rig = rig().await;
    let event = rig.say(json!({ "body": "1" })).await;
    let (ears, mut told) = (Ears::on(&rig.db), rig.receipts.changes());
    rig.read(ReceiptKind::Private, Thread::Unthreaded, &event).await.unwrap();
    assert_eq!(ears.heard(), [Topic::User(user("bob"))]);
    assert!(told.try_recv().is_err());
    for _ in 0..2 {
        rig.read(ReceiptKind::Public, Thread::Unthreaded, &event).await.unwrap();
    }
    assert_eq!(ears.heard(), [Topic::User(user("bob")), Topic::Receipts(rig.num.0)]);
    let change = told.try_recv().unwrap();
    assert_eq!((change.user, change.event, change.thread), (user("bob"), event, Thread::Unthreaded));
    assert!(told.try_recv().is_err(), "once");
}

#[tokio::test]
async fn receipts_are_for_members_events_of_the_room_and_the_right_thread() {
    let rig = rig().await;
    let root = rig.say(json!({ "body": "root" })).await;
    let reply = rig.relate("m.thread", &root).await;
    let reaction = rig.relate("m.reference", &reply).await;
    let other = rig.say(json!({ "body": "other" })).await;
    let public = ReceiptKind::Public;
    let stranger = rig.receipts.set(&user("eve"), &rig.id, public, &Thread::Unthreaded, &root).await;
    assert!(matches!(stranger, Err(EphemeralError::NotJoined)));
    let nowhere = rig.receipts.set(&user("bob"), ruma::room_id!("!no:where"), public, &Thread::Main, &root).await;
    assert!(matches!(nowhere, Err(EphemeralError::NotJoined)));
    let unknown = OwnedEventId::try_from("$unknown").unwrap();
    assert!(matches!(rig.read(public, Thread::Unthreaded, &unknown).await, Err(EphemeralError::UnknownEvent)));
    for (thread, event, fits) in [
        (Thread::Main, &root, true),
        (Thread::Main, &reply, false),
        (Thread::Root(root.clone()), &root, true),
        (Thread::Root(root.clone()), &reply, true),
        (Thread::Root(root.clone()), &reaction, true),
        (Thread::Root(root.clone()), &other, false),
        (Thread::Root(other.clone()), &reply, false),
    ] {
        let answer = rig.read(public, thread.clone(), event).await;
        match fits {
            true => answer.unwrap(),
            false => assert!(matches!(answer, Err(EphemeralError::NotInThread)), "{thread:?} {event}"),
        }
    }
}
