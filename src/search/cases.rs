use std::sync::Arc;

use base::Clock;
use event::{Draft, Signer};
use kv::{Db, Read, memory::Memory};
use room::{CreateRoom, MemberProfile, Outgoing, Preset, RoomNum, Rooms};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde_json::{Map, Value, json, value::to_raw_value};

use crate::{Config, Field, Mark, Order, Query, Search, tables::WORDS, words};

struct Rig {
    db: Db,
    rooms: Rooms,
    search: Search,
    room: OwnedRoomId,
    num: RoomNum,
}

fn alice() -> OwnedUserId {
    UserId::parse("@alice:hearth.test").unwrap()
}

impl Rig {
    async fn new() -> Self {
        let db = Db::new(Memory::new());
        let clock = Clock::fixed(1_700_000_000_000);
        let signer = Signer::new("hearth.test".try_into().unwrap(), "ed25519:1".try_into().unwrap(), &[7; 32]);
        let rooms = Rooms::new(db.clone(), clock, Arc::new(signer), room::Config::default(), 1 << 20, Vec::new());
        let room = rooms.create(&new_room()).await.unwrap();
        let num = rooms.num(&db.view(), &room).await.unwrap();
        let search = Search::new(db.clone(), rooms.clone(), Config::default());
        Self { db, rooms, search, room, num }
    }

    async fn send(&self, content: Value) -> OwnedEventId {
        let draft = Draft::message("m.room.message".into(), to_raw_value(&content).unwrap());
        self.rooms.send(&self.room, &Outgoing::new(&alice(), draft)).await.unwrap()
    }

    async fn say(&self, text: &str) -> OwnedEventId {
        self.send(json!({ "msgtype": "m.text", "body": text })).await
    }

    /// The ids of what is found.
    async fn found(&self, term: &str, order: Order) -> Vec<String> {
        self.search.catch_up().await.unwrap();
        let query = Query { words: &words(term), fields: &Field::ALL, rooms: &[self.num], order };
        let view = self.db.view();
        let mut ids = Vec::new();
        for hit in self.search.find(&query).await.unwrap() {
            assert_eq!(Mark::parse(&hit.mark.to_string()), Some(hit.mark));
            ids.push(self.rooms.row(&view, hit.room, hit.num).await.unwrap().event.event_id().to_owned());
        }
        ids
    }
}

fn new_room() -> CreateRoom {
    CreateRoom {
        creator: alice(),
        profile: MemberProfile::default(),
        version: None,
        creation_content: Map::new(),
        preset: Preset::PrivateChat,
        published: false,
        alias: None,
        name: Some("Kitchen garden".into()),
        topic: None,
        power_levels: Map::new(),
        initial_state: Vec::new(),
        invites: Vec::new(),
        is_direct: false,
    }
}

#[tokio::test]
async fn events_with_all_words_are_found_and_the_newest_come_first() {
    let rig = Rig::new().await;
    let first = rig.say("Hello, world").await;
    let second = rig.say("hello again, WORLD of mine").await;
    rig.say("hello").await;
    assert_eq!(rig.found("world hello", Order::Recent).await, [second.as_str(), first.as_str()]);
    assert_eq!(rig.found("world", Order::Rank).await, [first.as_str(), second.as_str()]);
    assert!(rig.found("worl", Order::Recent).await.is_empty());
    assert!(rig.found("…", Order::Recent).await.is_empty());
    assert_eq!(rig.found("garden", Order::Recent).await.len(), 1);
}

#[tokio::test]
async fn the_words_of_a_redacted_event_are_gone() {
    let rig = Rig::new().await;
    let event = rig.say("secret words").await;
    assert_eq!(rig.found("secret", Order::Recent).await.len(), 1);
    rig.rooms.redact(&rig.room, &alice(), &event, None, None).await.unwrap();
    assert!(rig.found("secret", Order::Recent).await.is_empty());
    let view = rig.db.view();
    let left = view.scan(&WORDS, WORDS.under(&(rig.num, 0_u8))).collect().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_edited_message_is_found_by_its_new_text() {
    let rig = Rig::new().await;
    let event = rig.say("old text").await;
    let relates = json!({ "rel_type": "m.replace", "event_id": event });
    let new = json!({ "msgtype": "m.text", "body": "new text" });
    rig.send(json!({ "msgtype": "m.text", "body": "* new text", "m.new_content": new, "m.relates_to": relates })).await;
    assert_eq!(rig.found("new", Order::Recent).await, [event.as_str()]);
    assert!(rig.found("old", Order::Recent).await.is_empty());
}

#[tokio::test]
async fn a_restart_goes_on_where_the_walk_stood() {
    let mut rig = Rig::new().await;
    rig.say("before").await;
    assert_eq!(rig.found("before", Order::Recent).await.len(), 1);
    rig.search = Search::new(rig.db.clone(), rig.rooms.clone(), Config::default());
    let event = rig.say("after").await;
    assert_eq!(rig.found("after", Order::Recent).await, [event.as_str()]);
    assert_eq!(rig.found("before", Order::Recent).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_search_says_so() {
    let mut rig = Rig::new().await;
    rig.search = Search::new(rig.db.clone(), rig.rooms.clone(), Config { enabled: false });
    let query = Query { words: &words("x"), fields: &Field::ALL, rooms: &[rig.num], order: Order::Rank };
    assert!(rig.search.find(&query).await.is_err());
}
