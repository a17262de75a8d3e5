//! A room on a fresh in-memory database.

use std::sync::Arc;

use base::Clock;
use event::Signer;
use kv::{Db, memory::Memory};
use room::{Config, CreateRoom, MemberProfile, Preset, Rooms};
use ruma::{OwnedRoomId, RoomVersionId, UserId};
use serde_json::Map;

pub const NOW: u64 = 1_700_000_000_000;

pub fn signer(server: &str, seed: u8) -> Arc<Signer> {
    let name = server.try_into().expect("a server's name");
    Arc::new(Signer::new(name, "ed25519:1".try_into().expect("a key id"), &[seed; 32]))
}

/// A public room of `@alice:a.test`.
pub async fn room(db: &Db, version: RoomVersionId) -> (Rooms, OwnedRoomId) {
    let rooms =
        Rooms::new(db.clone(), Clock::fixed(NOW), signer("a.test", 1), Config::default(), 1 << 20, Vec::new());
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
