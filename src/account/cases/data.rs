use kv::{Positions, Topic};
use proptest::prelude::*;
use ruma::{RoomId, UserId, room_id, user_id};
use serde_json::json;

use super::*;
use crate::{AccountData, AccountDataChange, AccountError, Filters};

const ALICE: &str = "@alice:hearth.test";

fn alice() -> &'static UserId {
    user_id!("@alice:hearth.test")
}

fn room() -> &'static RoomId {
    room_id!("!room:hearth.test")
}

fn data() -> (Db, AccountData) {
    let db = Db::new(Flaky::new(Memory::new()));
    (db.clone(), AccountData::new(db))
}

fn entry(room: Option<&RoomId>, kind: &str, content: &str) -> AccountDataChange {
    AccountDataChange { room: room.map(ToOwned::to_owned), kind: kind.into(), content: content.into() }
}

#[tokio::test]
async fn data_is_kept_per_user_room_and_type() {
    let (db, data) = data();
    data.set(alice(), None, "m.direct", r#"{"a":1}"#).await.unwrap();
    data.set(alice(), Some(room()), "m.direct", r#"{"a":2}"#).await.unwrap();
    assert_eq!(data.get(alice(), None, "m.direct").await.unwrap().unwrap(), r#"{"a":1}"#);
    assert_eq!(data.get(alice(), Some(room()), "m.direct").await.unwrap().unwrap(), r#"{"a":2}"#);
    assert_eq!(data.get(user_id!("@bob:hearth.test"), None, "m.direct").await.unwrap(), None);
    let view = db.view();
    let global = entry(None, "m.direct", r#"{"a":1}"#);
    let in_room = entry(Some(room()), "m.direct", r#"{"a":2}"#);
    assert_eq!(data.all(&view, alice()).await.unwrap(), [global.clone(), in_room.clone()]);
    assert_eq!(data.within(&view, alice(), None).await.unwrap(), [global]);
    assert_eq!(data.within(&view, alice(), Some(room())).await.unwrap(), [in_room]);
}

#[tokio::test]
async fn changes_come_once_in_order_and_with_removals() {
    let (db, data) = data();
    data.set(alice(), None, "a", "{}").await.unwrap();
    let since = db.positions();
    data.set(alice(), None, "b", "{}").await.unwrap();
    data.set(alice(), Some(room()), "c", r#"{"n":1}"#).await.unwrap();
    data.set(alice(), None, "b", r#"{"n":2}"#).await.unwrap();
    data.set(alice(), None, "gone", "{}").await.unwrap();
    assert!(data.remove(alice(), None, "gone").await.unwrap());
    assert!(!data.remove(alice(), None, "gone").await.unwrap());
    let view = db.view();
    let changes = data.changes(&view, alice(), &since, view.positions()).await.unwrap();
    let expected = [entry(Some(room()), "c", r#"{"n":1}"#), entry(None, "b", r#"{"n":2}"#), entry(None, "gone", "{}")];
    assert_eq!(changes, expected);
    assert_eq!(data.changes(&view, alice(), view.positions(), view.positions()).await.unwrap(), []);
}

#[tokio::test]
async fn a_change_wakes_its_user() {
    #[derive(Default)]
    struct Woken(parking_lot::Mutex<Vec<Topic>>);
    impl kv::Observer for Woken {
        fn record(&self, _: &[kv::Announcement]) {}
        fn wake(&self, changes: &[kv::Announcement]) {
            self.0.lock().extend(changes.iter().map(|change| change.topic.clone()));
        }
    }
    let (db, data) = data();
    let woken = std::sync::Arc::new(Woken::default());
    db.observe(woken.clone());
    data.set(alice(), None, "a", "{}").await.unwrap();
    assert_eq!(*woken.0.lock(), [Topic::User(alice().to_owned())]);
}

#[tokio::test]
async fn two_writers_are_both_heard() {
    let store = kv::memory::Store::default();
    let (one, two) = (Memory::on(&store, kv::WriterId(1)), Memory::on(&store, kv::WriterId(2)));
    let (one, two) = (Db::new(one), Db::new(two));
    AccountData::new(one.clone()).set(alice(), None, "a", "{}").await.unwrap();
    let since = one.positions();
    AccountData::new(two).set(alice(), None, "b", "{}").await.unwrap();
    AccountData::new(one.clone()).set(alice(), None, "c", "{}").await.unwrap();
    let view = one.view();
    let mut kinds: Vec<_> = AccountData::new(one)
        .changes(&view, alice(), &since, view.positions())
        .await
        .unwrap()
        .into_iter()
        .map(|change| change.kind)
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["b", "c"]);
}

#[tokio::test]
async fn tags_live_in_the_rooms_account_data() {
    let (_, data) = data();
    let info = |order: f64| json!({ "order": order }).as_object().unwrap().clone();
    data.set_tag(alice(), room(), "m.favourite", &info(0.5)).await.unwrap();
    data.set_tag(alice(), room(), "u.work", &serde_json::Map::new()).await.unwrap();
    data.remove_tag(alice(), room(), "u.work").await.unwrap();
    data.remove_tag(alice(), room(), "u.work").await.unwrap();
    assert_eq!(json!(data.tags(alice(), room()).await.unwrap()), json!({ "m.favourite": { "order": 0.5 } }));
    let content = data.get(alice(), Some(room()), "m.tag").await.unwrap().unwrap();
    assert_eq!(content, r#"{"tags":{"m.favourite":{"order":0.5}}}"#);
    let long = data.set_tag(alice(), room(), &"t".repeat(256), &info(0.0)).await;
    assert!(matches!(long, Err(AccountError::BadTag)));
}

#[tokio::test]
async fn equal_filters_have_equal_ids_that_do_not_begin_as_json() {
    let filters = Filters::new(Db::new(Flaky::new(Memory::new())));
    let id = filters.put(alice(), r#"{"room":{}}"#).await.unwrap();
    assert_eq!(filters.put(alice(), r#"{"room":{}}"#).await.unwrap(), id);
    assert_ne!(filters.put(alice(), "{}").await.unwrap(), id);
    assert_eq!(filters.get(alice(), &id).await.unwrap().unwrap(), r#"{"room":{}}"#);
    assert_eq!(filters.get(user_id!("@bob:hearth.test"), &id).await.unwrap(), None);
    assert!(!id.starts_with('{'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn splitting_the_interval_gives_the_same_union(writes in prop::collection::vec((0u8..4, any::<bool>()), 1..20), cut in 0usize..20) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (db, data) = data();
            let user: &UserId = ALICE.try_into().unwrap();
            let mut middle = Positions::default();
            for (n, (kind, remove)) in writes.iter().enumerate() {
                if n == cut {
                    middle = db.positions();
                }
                let kind = format!("t{kind}");
                if *remove {
                    data.remove(user, None, &kind).await.unwrap();
                } else {
                    data.set(user, None, &kind, &format!(r#"{{"n":{n}}}"#)).await.unwrap();
                }
            }
            let view = db.view();
            let upto = view.positions();
            let whole = data.changes(&view, user, &Positions::default(), upto).await.unwrap();
            let mut parts = data.changes(&view, user, &Positions::default(), &middle).await.unwrap();
            parts.extend(data.changes(&view, user, &middle, upto).await.unwrap());
            assert_eq!(whole, parts);
        });
    }
}
