use base::Clock;
use event::Draft;
use kv::{Db, Read, memory::Memory};
use room::{CreateRoom, Outgoing, Preset, RoomNum, Rooms, rig};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::{Value, json};

use crate::{Config, Field, Mark, Order, Query, Search, tables::WORDS, words};

struct Rig {
    db: Db,
    clock: Clock,
    rooms: Rooms,
    search: Search,
    room: OwnedRoomId,
    num: RoomNum,
}

fn alice() -> OwnedUserId {
    rig::user("alice")
}

impl Rig {
    async fn new() -> Self {
        let db = Db::new(Memory::new());
        let clock = rig::clock();
        let rooms = rig::rooms(&db, &clock, Vec::new());
        let new = CreateRoom { name: Some("Kitchen garden".into()), ..CreateRoom::new(alice(), Preset::PrivateChat) };
        let room = rooms.create(&new).await.unwrap();
        let num = rooms.num(&db.view(), &room).await.unwrap();
        let search = Search::new(db.clone(), rooms.clone(), Config::default());
        Self { db, clock, rooms, search, room, num }
    }

    async fn send(&self, content: Value) -> OwnedEventId {
        let draft = Draft::message("m.room.message".into(), rig::raw(&content));
        self.rooms.send(&self.room, &Outgoing::new(&alice(), draft)).await.unwrap()
    }

    async fn say(&self, text: &str) -> OwnedEventId {
        self.send(json!({ "msgtype": "m.text", "body": text })).await
    }

    async fn edit(&self, event: &EventId, text: &str) -> OwnedEventId {
        // The newest edit is shown.
        self.clock.advance(1);
        let relates = json!({ "rel_type": "m.replace", "event_id": event });
        let new = json!({ "msgtype": "m.text", "body": text });
        self.send(json!({ "msgtype": "m.text", "body": "*", "m.new_content": new, "m.relates_to": relates })).await
    }

    async fn redact(&self, event: &EventId) {
        self.rooms.redact(&self.room, &alice(), event, None, None).await.unwrap();
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
    rig.redact(&event).await;
    assert!(rig.found("secret", Order::Recent).await.is_empty());
    let view = rig.db.view();
    let left = view.scan(&WORDS, WORDS.under(&(rig.num, 0_u8))).collect().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_edited_message_is_found_by_its_new_text() {
    let rig = Rig::new().await;
    let event = rig.say("old text").await;
    rig.edit(&event, "new text").await;
    assert_eq!(rig.found("new", Order::Recent).await, [event.as_str()]);
    assert!(rig.found("old", Order::Recent).await.is_empty());
}

#[tokio::test]
async fn a_message_whose_edit_is_redacted_is_found_by_its_old_text_again() {
    let rig = Rig::new().await;
    let event = rig.say("old text").await;
    let edits = [rig.edit(&event, "first secret").await, rig.edit(&event, "second secret").await];
    assert_eq!(rig.found("second", Order::Recent).await, [event.as_str()]);
    rig.redact(&edits[1]).await;
    assert_eq!(rig.found("first", Order::Recent).await, [event.as_str()]);
    rig.redact(&edits[0]).await;
    assert_eq!(rig.found("old", Order::Recent).await, [event.as_str()]);
    assert!(rig.found("secret", Order::Recent).await.is_empty());
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
