//! A room on a fresh in-memory database.

pub mod events;

use std::sync::Arc;

use base::Clock;
use event::Signer;
use kv::{Db, memory::Memory};
use room::{Config, CreateRoom, MemberProfile, Preset, RoomNum, Rooms};
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId, UserId};
use serde_json::{Map, value::RawValue};

pub const NOW: u64 = 1_700_000_000_000;

/// The key of a server; each has one.
pub fn signer(server: &str, seed: u8) -> Arc<Signer> {
    let name = server.try_into().expect("a server's name");
    Arc::new(Signer::new(name, "ed25519:1".try_into().expect("a key id"), &[seed; 32]))
}

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
    let rooms = Rooms::new(db.clone(), Clock::fixed(NOW), signer("a.test", 1), Config::default(), 1 << 20, Vec::new());
    let new = CreateRoom {
        creator: UserId::parse("@alice:a.test").expect("a user id"),
        profile: MemberProfile::default(),
        version: Some(version),
        creation_content: Map::new(),
        preset: Preset::PublicChat,
        published: false,
        alias: None,
        name: None,
        topic: None,
        power_levels: Map::new(),
        initial_state: Vec::new(),
        invites: Vec::new(),
        is_direct: false,
    };
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
    let alice = UserId::parse("@alice:a.test").expect("a user id");
    let content = RawValue::from_string(r#"{"msgtype":"m.text","body":"still here"}"#.to_owned()).expect("JSON");
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
