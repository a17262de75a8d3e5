mod devices;
mod members;
mod rooms;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use account::AccountData;
use ephemeral::{Presence, PresenceState, ReceiptKind, Receipts, Thread, Typing};
use event::Draft;
use kv::{Db, memory::Memory};
use proptest::prelude::*;
use push::{Counts, CountsProjection, Rules};
use room::{
    CreateRoom, MemberAction, MemberChange, MemberProfile, Outgoing, Preset, Rooms,
    rig::{self, raw, user},
};
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use crate::{Request, Sources, Sync, Wants};

/// A server without HTTP: rooms and sync on the in-memory engine.
struct Rig {
    sync: Arc<Sync>,
    rooms: Rooms,
    receipts: Receipts,
    typing: Typing,
    presence: Presence,
}

/// A sync of `name` that does not wait, of no device in particular.
fn request(name: &str, since: Option<&str>) -> Request {
    Request {
        user: user(name),
        device: None,
        since: since.map(str::to_owned),
        timeout: Duration::ZERO,
        wants: Wants::default(),
        full_state: false,
        state_after: None,
        presence: PresenceState::Offline,
    }
}

impl Rig {
    fn new() -> Self {
        Self::with_epoch(Db::new(Memory::new()), "aaaa")
    }

    fn with_epoch(db: Db, epoch: &str) -> Self {
        let clock = rig::clock();
        let rooms = rig::rooms(&db, &clock, vec![Box::new(CountsProjection::new("hearth.test".try_into().unwrap()))]);
        let receipts = Receipts::new(db.clone(), rooms.clone(), clock.clone());
        let typing = Typing::new(db.clone(), clock.clone());
        let presence = Presence::new(db.clone(), clock.clone(), true);
        let sources = Sources {
            rooms: rooms.clone(),
            account_data: AccountData::new(db.clone()),
            receipts: receipts.clone(),
            typing: typing.clone(),
            presence: presence.clone(),
            counts: Counts::new(rooms.clone(), receipts.clone()),
            push_rules: Rules::new(db.clone(), rooms.clone()),
            keys: e2ee::Keys::new(db.clone(), "hearth.test".try_into().unwrap()),
            mailbox: e2ee::Mailbox::new(db, clock, "hearth.test".try_into().unwrap()),
        };
        let sync = Arc::new(Sync::new(sources, epoch));
        tokio::spawn(sync.clone().wake_late());
        Self { sync, rooms, receipts, typing, presence }
    }

    async fn room(&self, creator: &str) -> OwnedRoomId {
        let new = CreateRoom::new(user(creator), Preset::PublicChat);
        self.rooms.create(&new).await.unwrap()
    }

    async fn member(&self, room: &OwnedRoomId, name: &str, action: MemberAction) {
        self.rooms.change_member(room, &MemberChange::own(user(name), action)).await.unwrap();
    }

    async fn say(&self, room: &OwnedRoomId, sender: &str, text: &str) -> String {
        let content = raw(&json!({ "msgtype": "m.text", "body": text }));
        let out = Outgoing::new(&user(sender), Draft::message("m.room.message".into(), content));
        self.rooms.send(room, &out).await.unwrap().to_string()
    }

    async fn ask(&self, name: &str, since: Option<&str>, timeout: Duration) -> Value {
        self.ask_with(name, since, timeout, Wants::default()).await
    }

    async fn ask_with(&self, name: &str, since: Option<&str>, timeout: Duration, wants: Wants) -> Value {
        let request = Request { timeout, wants, ..request(name, since) };
        serde_json::from_slice(&self.sync.sync(&request).await.unwrap()).unwrap()
    }

    async fn now(&self, name: &str, since: Option<&str>) -> Value {
        self.ask(name, since, Duration::ZERO).await
    }
}

fn token(response: &Value) -> String {
    response["next_batch"].as_str().unwrap().to_owned()
}

fn timeline(response: &Value, room: &OwnedRoomId) -> Vec<String> {
    let events = response["rooms"]["join"][room.as_str()]["timeline"]["events"].as_array().cloned().unwrap_or_default();
    events.iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_filter_says_how_events_are_written_and_which_parts_of_them() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    let id = rig.say(&room, "alice", "hi").await;
    let last = async |filter: Value| {
        let wants = Wants::new(&serde_json::from_value(filter).unwrap());
        let response = rig.ask_with("alice", None, Duration::ZERO, wants).await;
        let joined = &response["rooms"]["join"][room.as_str()];
        let events = [&joined["timeline"]["events"], &joined["state"]["events"]];
        assert!(response["account_data"]["events"][0].get("content").is_some(), "not what room events look like");
        events.map(|events| events.as_array().unwrap().iter().last().cloned().unwrap_or_default())
    };
    let [raw, _] = last(json!({ "event_format": "federation" })).await;
    for key in ["auth_events", "prev_events", "depth", "hashes", "signatures", "room_id", "unsigned"] {
        assert!(raw.get(key).is_some(), "{key} is missing in {raw}");
    }
    assert_eq!((&raw["event_id"], &raw["content"]["body"]), (&json!(id), &json!("hi")));
    let only = json!({ "event_fields": ["content.body", "type"], "room": { "timeline": { "limit": 1 } } });
    let [message, state] = last(only).await;
    assert_eq!(message, json!({ "type": "m.room.message", "content": { "body": "hi" } }));
    assert_eq!(state.as_object().unwrap().keys().collect::<Vec<_>>(), ["content", "type"]);
    assert_eq!(last(json!({ "event_fields": [] })).await[0], json!({}));
}

#[tokio::test]
async fn an_initial_sync_has_the_room_with_its_state_and_a_later_one_what_is_new() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    let first = rig.now("alice", None).await;
    assert!(!timeline(&first, &room).is_empty());
    assert!(first["account_data"]["events"][0]["type"] == "m.push_rules", "everybody has push rules");
    let id = rig.say(&room, "alice", "hello").await;
    let second = rig.now("alice", Some(&token(&first))).await;
    assert_eq!(timeline(&second, &room), [id]);
    assert_eq!(second["rooms"]["join"][room.as_str()]["state"]["events"], json!([]));
    let third = rig.now("alice", Some(&token(&second))).await;
    assert_eq!(third["rooms"], Value::Null, "nothing is told twice");
    assert_eq!(third["device_one_time_keys_count"], json!({}));
}

#[tokio::test]
async fn a_long_poll_ends_with_the_message_that_wakes_it() {
    let rig = Arc::new(Rig::new());
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    let since = token(&rig.now("bob", None).await);
    let waiting = tokio::spawn({
        let rig = rig.clone();
        async move { rig.ask("bob", Some(&since), Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    let id = rig.say(&room, "alice", "wake up").await;
    assert_eq!(timeline(&waiting.await.unwrap(), &room), [id]);
}

#[tokio::test]
async fn a_gap_is_said_and_carries_the_state_that_changed_in_it() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    let since = token(&rig.now("alice", None).await);
    rig.member(&room, "bob", MemberAction::Join).await;
    for n in 0..15 {
        rig.say(&room, "alice", &n.to_string()).await;
    }
    let response = rig.now("alice", Some(&since)).await;
    let part = &response["rooms"]["join"][room.as_str()];
    assert_eq!(part["timeline"]["limited"], true);
    assert_eq!(timeline(&response, &room).len(), 10);
    assert!(part["timeline"]["prev_batch"].is_string());
    assert_eq!(part["state"]["events"][0]["state_key"], "@bob:hearth.test");
}

#[tokio::test]
async fn leaving_is_told_once_and_joining_again_brings_everything() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    let joined = token(&rig.now("bob", None).await);
    rig.member(&room, "bob", MemberAction::Leave).await;
    let left = rig.now("bob", Some(&joined)).await;
    assert!(left["rooms"]["leave"][room.as_str()].is_object());
    rig.say(&room, "alice", "secret").await;
    let quiet = rig.now("bob", Some(&token(&left))).await;
    assert_eq!(quiet["rooms"], Value::Null);
    rig.member(&room, "bob", MemberAction::Join).await;
    let again = rig.now("bob", Some(&token(&quiet))).await;
    let part = &again["rooms"]["join"][room.as_str()];
    let events = [&part["state"]["events"], &part["timeline"]["events"]].map(|list| list.as_array().unwrap().clone());
    assert!(events.concat().iter().any(|event| event["type"] == "m.room.create"));
}

#[tokio::test]
async fn who_declines_an_invite_is_told_of_that_and_nothing_else() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    let invite = MemberChange::of(user("alice"), user("bob"), MemberAction::Invite { is_direct: false });
    rig.rooms.change_member(&room, &invite).await.unwrap();
    let since = token(&rig.now("bob", None).await);
    let content = raw(&json!({ "name": "secret" }));
    let name = Outgoing::new(&user("alice"), Draft::state("m.room.name".into(), "", content));
    rig.rooms.send(&room, &name).await.unwrap();
    rig.member(&room, "bob", MemberAction::Leave).await;
    let left = serde_json::from_value(json!({ "room": { "include_leave": true } })).unwrap();
    let news = rig.now("bob", Some(&since)).await;
    for response in [news, rig.ask_with("bob", None, Duration::ZERO, Wants::new(&left)).await] {
        let part = &response["rooms"]["leave"][room.as_str()];
        assert_eq!(part["state"]["events"], json!([]));
        let events = part["timeline"]["events"].as_array().unwrap();
        assert_eq!(events.iter().map(|event| &event["state_key"]).collect::<Vec<_>>(), [user("bob").as_str()]);
    }
}

#[tokio::test]
async fn typing_receipts_and_counts_arrive() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    let since = token(&rig.now("bob", None).await);
    let id = rig.say(&room, "alice", "one").await;
    let response = rig.now("bob", Some(&since)).await;
    let part = &response["rooms"]["join"][room.as_str()];
    assert_eq!(part["unread_notifications"]["notification_count"], 1);
    let num = rig.rooms.num(&rig.rooms.db().view(), &room).await.unwrap();
    rig.typing.set(num, &user("alice"), Some(1000)).await.unwrap();
    let event = id.as_str().try_into().unwrap();
    rig.receipts.set(&user("bob"), &room, ReceiptKind::Private, &Thread::Unthreaded, event).await.unwrap();
    let response = rig.now("bob", Some(&token(&response))).await;
    let part = &response["rooms"]["join"][room.as_str()];
    assert_eq!(part["unread_notifications"]["notification_count"], 0);
    let types: BTreeSet<_> =
        part["ephemeral"]["events"].as_array().unwrap().iter().map(|event| event["type"].clone().to_string()).collect();
    assert_eq!(types.into_iter().collect::<Vec<_>>(), ["\"m.receipt\"", "\"m.typing\""]);
}

#[tokio::test]
async fn a_token_of_another_epoch_gets_everything_and_a_foreign_one_an_error() {
    let db = Db::new(Memory::new());
    let rig = Rig::with_epoch(db.clone(), "aaaa");
    let room = rig.room("alice").await;
    let old = token(&rig.now("alice", None).await);
    let restored = Rig::with_epoch(db, "bbbb");
    assert!(!timeline(&restored.now("alice", Some(&old)).await, &room).is_empty());
    assert!(restored.sync.since(Some("nonsense")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn splitting_an_interval_gives_the_same_events(steps in prop::collection::vec((0_usize..3, any::<bool>()), 1..9)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let rooms = [rig.room("alice").await, rig.room("alice").await, rig.room("alice").await];
            let start = token(&rig.now("alice", None).await);
            let (mut since, mut parts) = (start.clone(), BTreeSet::new());
            for (n, (room, look)) in steps.iter().enumerate() {
                rig.say(&rooms[*room], "alice", &n.to_string()).await;
                if *look {
                    let response = rig.now("alice", Some(&since)).await;
                    rooms.iter().for_each(|room| parts.extend(timeline(&response, room)));
                    since = token(&response);
                }
            }
            let rest = rig.now("alice", Some(&since)).await;
            let whole = rig.now("alice", Some(&start)).await;
            rooms.iter().for_each(|room| parts.extend(timeline(&rest, room)));
            let whole: BTreeSet<_> = rooms.iter().flat_map(|room| timeline(&whole, room)).collect();
            assert_eq!(parts, whole);
            assert_eq!(parts.len(), steps.len());
        });
    }
}
