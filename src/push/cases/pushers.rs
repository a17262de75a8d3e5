use std::sync::Arc;

use account::{DeviceChange, DeviceProjection};
use kv::{Db, Engine, flaky::Flaky, memory::Memory};
use ruma::{
    api::client::push::{Pusher, PusherIds},
    device_id,
};
use serde_json::{Value, json};

use super::rig::user;
use crate::{PushError, Pushers, PushersProjection};

fn json() -> Value {
    json!({
        "pushkey": "key", "app_id": "org.example.app", "kind": "http", "lang": "en", "profile_tag": "tag",
        "app_display_name": "App", "device_display_name": "Phone",
        "data": { "url": "https://push.example/_matrix/push/v1/notify", "format": "event_id_only", "brand": "b" },
    })
}

fn pusher(change: impl FnOnce(&mut Value)) -> Pusher {
    let mut json = json();
    change(&mut json);
    serde_json::from_value(json).unwrap()
}

fn on(engine: Arc<dyn Engine>) -> (Db, Pushers) {
    let db = Db::new(engine);
    (db.clone(), Pushers::new(db))
}

async fn keys(pushers: &Pushers, name: &str) -> Vec<String> {
    pushers.of(&user(name)).await.unwrap().into_iter().map(|pusher| pusher.ids.pushkey).collect()
}

#[tokio::test]
async fn a_pusher_comes_back_as_it_was_set_until_it_is_removed() {
    let (_, pushers) = on(Flaky::new(Memory::new()));
    let (alice, phone) = (user("alice"), device_id!("PHONE"));
    pushers.set(&alice, phone, &pusher(|_| ()), false).await.unwrap();
    pushers.set(&alice, phone, &pusher(|json| json["lang"] = json!("de")), false).await.unwrap();
    let mut expected = json();
    expected["lang"] = json!("de");
    assert_eq!(serde_json::to_value(pushers.of(&alice).await.unwrap()).unwrap(), json!([expected]));
    let ids = PusherIds::new("key".into(), "org.example.app".into());
    for _ in 0..2 {
        pushers.remove(&alice, &ids).await.unwrap();
        assert!(keys(&pushers, "alice").await.is_empty());
    }
}

#[tokio::test]
async fn an_app_that_changes_its_user_takes_the_pusher_along() {
    let (_, pushers) = on(Memory::new());
    let device = device_id!("D");
    pushers.set(&user("alice"), device, &pusher(|_| ()), false).await.unwrap();
    pushers.set(&user("bob"), device, &pusher(|_| ()), true).await.unwrap();
    assert_eq!(keys(&pushers, "alice").await, ["key"]);
    pushers.set(&user("bob"), device, &pusher(|_| ()), false).await.unwrap();
    assert!(keys(&pushers, "alice").await.is_empty());
    assert_eq!(keys(&pushers, "bob").await, ["key"]);
}

#[tokio::test]
async fn pushers_go_with_their_device_only() {
    let (db, pushers) = on(Memory::new());
    let alice = user("alice");
    for device in ["A", "B"] {
        let pusher = pusher(|json| json["pushkey"] = json!(device));
        pushers.set(&alice, device.into(), &pusher, false).await.unwrap();
    }
    for change in [DeviceChange::Renamed, DeviceChange::Removed] {
        let mut tx = db.begin();
        PushersProjection.device(&mut tx, &alice, device_id!("A"), change).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(keys(&pushers, "alice").await, ["B"]);
}

#[tokio::test]
async fn what_is_no_pusher_is_refused() {
    let (_, pushers) = on(Memory::new());
    let bad: [fn(&mut Value); 9] = [
        |json| json["pushkey"] = json!("k".repeat(513)),
        |json| json["pushkey"] = json!(""),
        |json| json["app_id"] = json!("a".repeat(65)),
        |json| json["app_id"] = json!(""),
        |json| json["kind"] = json!("email"),
        |json| json["kind"] = json!("pigeon"),
        |json| json["data"]["url"] = json!("https://push.example/other"),
        |json| json["data"]["url"] = json!("ftp://push.example/_matrix/push/v1/notify"),
        |json| json["data"]["url"] = json!("/_matrix/push/v1/notify"),
    ];
    for change in bad {
        let pusher = pusher(change);
        let answer = pushers.set(&user("alice"), device_id!("D"), &pusher, false).await;
        assert!(matches!(answer, Err(PushError::Invalid(_))), "{pusher:?}");
    }
    assert!(keys(&pushers, "alice").await.is_empty());
}
