//! A room on a fresh in-memory database.

pub mod events;

use kv::{Db, memory::Memory};
use room::{CreateRoom, Preset, RoomNum, Rooms, rig};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId};
use serde_json::json;

/// Runs to the end on this thread.
pub fn run(work: impl Future<Output = ()>) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work));
}

/// A public room of `@alice:a.test`.
pub async fn room(db: &Db, version: RoomVersionId) -> (Rooms, OwnedRoomId) {
    let rooms = rig::rooms_of(db, &rig::clock(), rig::signer("a.test", 1), Vec::new());
    let new = CreateRoom { version: Some(version), ..CreateRoom::new(rig::user("alice:a.test"), Preset::PublicChat) };
    let id = rooms.create(&new).await.expect("a room can be made");
    (rooms, id)
}

pub fn database() -> Db {
    Db::new(Memory::new())
}

/// The events of a room, oldest first.
pub async fn events_of(rooms: &Rooms, num: RoomNum) -> Vec<OwnedEventId> {
    let view = rooms.db().view();
    let page = rooms.timeline(&view, num, room::Place::MIN, room::Direction::Forward, 100).await.expect("a timeline");
    page.events.iter().map(|(_, _, row)| row.event.event_id().try_into().expect("an event id")).collect()
}

/// The room goes on whatever came: its owner can speak unless the rules have taken that from her, and its ends are
/// events that are part of it.
pub async fn assert_sound(rooms: &Rooms, room: &ruma::RoomId, num: RoomNum) {
    let alice = rig::user("alice:a.test");
    let content = rig::raw(&json!({ "msgtype": "m.text", "body": "still here" }));
    let draft = event::Draft::message("m.room.message".into(), content);
    match rooms.send(room, &room::Outgoing::new(&alice, draft)).await {
        Ok(_) | Err(room::RoomError::Denied(_) | room::RoomError::NotJoined) => {}
        Err(error) => panic!("{error:?}"),
    }
    let view = rooms.db().view();
    let tip = rooms.tip(&view, num).await.expect("a tip");
    for extremity in &tip.extremities {
        let row = rooms.row(&view, num, extremity.num).await.expect("an extremity is there");
        assert!(row.meta.is_shown(), "an extremity is no part of the room");
    }
    rooms.state_nums(&view, num, tip.state, None).await.expect("the state can be read");
}
