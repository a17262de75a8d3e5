//! What is forgotten in time, after a restore, with a device; and dehydrated devices.

use std::sync::atomic::{AtomicU64, Ordering};

use account::AccountError;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::*;
use crate::{Dehydrated, NewDehydrated, sweep, tables};

fn device_keys(user: &OwnedUserId, device: &str) -> CanonicalJsonObject {
    object(json!({ "user_id": user, "device_id": device, "keys": {}, "algorithms": [], "signatures": {} }))
}

fn dehydrated(world: &World) -> Dehydrated {
    Dehydrated::new(world.keys.clone(), world.mailbox.clone(), world.accounts.clone(), world.clock.clone())
}

fn new_dehydrated(user: &OwnedUserId, device: &str) -> NewDehydrated {
    let keys = DeviceUpload { device_keys: Some(device_keys(user, device)), ..one_time([1], device) };
    NewDehydrated { device: device.into(), data: "{\"d\":1}".into(), display_name: Some("sleeping".into()), keys }
}

#[tokio::test]
async fn a_dehydrated_device_gets_messages_until_another_takes_its_place() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let devices = dehydrated(&world);
    assert!(matches!(devices.of(&alice.0).await, Err(E2eeError::UnknownDevice)));
    assert!(matches!(devices.put(&alice.0, &new_dehydrated(&alice.0, "ONE")).await, Err(E2eeError::InvalidParam(_))));
    devices.put(&alice.0, &new_dehydrated(&alice.0, "DRY")).await.unwrap();
    assert_eq!(devices.of(&alice.0).await.unwrap().device, "DRY");
    assert_eq!(world.keys.query(None, &alice.0, &[]).await.unwrap().devices.len(), 1);
    let dry = (alice.0.clone(), OwnedDeviceId::from("DRY"));
    assert_eq!(world.claim(&dry).await, Some(id(1)));
    let login = NewDevice { id: Some("DRY".into()), ..NewDevice::default() };
    assert!(matches!(world.accounts.log_in_as(&alice.0, login).await, Err(AccountError::DeviceIdTaken)));
    for n in 0..120 {
        world.send(&alice, &n.to_string(), &alice.0, "*", n).await;
    }
    let (first, upto, more) = devices.events(&alice.0, &dry.1, None).await.unwrap();
    let (rest, end, no_more) = devices.events(&alice.0, &dry.1, Some(&upto)).await.unwrap();
    assert_eq!((first.len(), rest.len()), (100, 20));
    assert!(more && !no_more);
    assert!(devices.events(&alice.0, &dry.1, Some(&end)).await.unwrap().0.is_empty());
    assert_eq!(devices.events(&alice.0, &dry.1, None).await.unwrap().0, first, "they stay");
    devices.put(&alice.0, &new_dehydrated(&alice.0, "WET")).await.unwrap();
    assert!(matches!(devices.events(&alice.0, &dry.1, None).await, Err(E2eeError::UnknownDevice)));
    assert_eq!(devices.remove(&alice.0).await.unwrap(), "WET");
    assert!(matches!(devices.remove(&alice.0).await, Err(E2eeError::UnknownDevice)));
    assert!(world.keys.query(None, &alice.0, &[]).await.unwrap().devices.is_empty());
    world.device(&alice.0, "WET").await;
}

#[tokio::test]
async fn after_a_restore_no_one_time_key_is_left_and_none_comes_back() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let fallback = BTreeMap::from([(id(9), object(json!({ "key": "f", "fallback": true })))]);
    let upload = DeviceUpload { fallback, ..one_time([1, 2], "k") };
    world.upload(&alice, &upload).await.unwrap();
    assert_eq!(world.keys.forget_one_time_keys().await.unwrap(), 2);
    assert_eq!(world.keys.forget_one_time_keys().await.unwrap(), 0);
    assert_eq!(world.upload(&alice, &upload).await.unwrap(), 0, "the same keys are not taken again");
    assert_eq!(world.claim(&alice).await, Some(id(9)), "the fallback key stays");
    assert_eq!(world.upload(&alice, &one_time([2, 3], "new")).await.unwrap(), 2);
    assert_eq!(world.claim(&alice).await, Some(id(2)));
}

#[tokio::test]
async fn transactions_are_forgotten_after_a_day_and_not_before() {
    let world = World::new().await;
    let hand = world.clock.clone();
    let alice = world.user("alice").await;
    world.send(&alice, "old", &alice.0, "ONE", 1).await;
    let bob = OwnedUserId::try_from("@bob:other.test").unwrap();
    let mail = Targets::from([(alice.0.clone(), BTreeMap::from([("ONE".to_owned(), "{}".to_owned())]))]);
    world.mailbox.receive(&bob, "id", "m.test", &mail).await.unwrap();
    world.mailbox.receive(&bob, "id", "m.test", &mail).await.unwrap();
    assert_eq!(world.mail(&alice, None).await.0.len(), 2);
    hand.advance(sweep::REMEMBER_MS - 1);
    world.send(&alice, "new", &alice.0, "ONE", 2).await;
    assert_eq!(world.mailbox.sweep().await.unwrap(), 0);
    hand.advance(1);
    assert_eq!(world.mailbox.sweep().await.unwrap(), 1);
    assert_eq!(world.mailbox.sweep().await.unwrap(), 0);
    world.send(&alice, "new", &alice.0, "ONE", 2).await;
    assert_eq!(world.mail(&alice, None).await.0.len(), 3);
    hand.advance(sweep::REMEMBER_RECEIVED_MS);
    assert_eq!(world.mailbox.sweep().await.unwrap(), 2);
    let view = world.db.view();
    assert!(view.scan(&tables::SENT, tables::SENT.all()).collect().await.unwrap().is_empty());
    assert!(view.scan(&tables::RECEIVED, tables::RECEIVED.all()).collect().await.unwrap().is_empty());
}

#[tokio::test]
async fn settings_of_a_device_go_with_it() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let data = account::AccountData::new(world.db.clone());
    let kinds = ["m.local_notification_settings.ONE", "m.local_notification_settings.TWO", "m.other"];
    for kind in kinds {
        data.set(&alice.0, None, kind, "{}").await.unwrap();
    }
    world.accounts.remove_devices(&alice.0, std::slice::from_ref(&alice.1)).await.unwrap();
    let mut left = Vec::new();
    for kind in kinds {
        left.extend(data.get(&alice.0, None, kind).await.unwrap().map(|_| kind));
    }
    assert_eq!(left, kinds[1..]);
}

#[tokio::test]
async fn a_full_box_keeps_the_oldest_and_takes_more_when_they_were_delivered() {
    let world = World::on(Memory::new()).await;
    let alice = world.user("alice").await;
    let mailbox = world.mailbox.clone().holding(3);
    let send = async |n: usize| {
        let contents = BTreeMap::from([("ONE".to_owned(), json!({ "n": n }).to_string())]);
        let targets = Targets::from([(alice.0.clone(), contents)]);
        mailbox.send((&alice.0, &alice.1), "m.test", &n.to_string(), &targets).await.unwrap();
    };
    let dropped = Dropped::default();
    let guard = metrics::set_default_local_recorder(&dropped);
    for n in 0..5 {
        send(n).await;
    }
    drop(guard);
    assert_eq!(dropped.0.load(Ordering::Relaxed), 2);
    let (mail, upto) = world.mail(&alice, None).await;
    assert_eq!(mail.len(), 3);
    assert!(mail[0].contains("{\"n\":0}"));
    mailbox.acknowledge(&alice.0, &alice.1, &upto).await.unwrap();
    send(9).await;
    assert_eq!(world.mail(&alice, None).await.0.len(), 1);
}

/// Adds up how many messages were dropped.
#[derive(Default)]
struct Dropped(Arc<AtomicU64>);

impl Recorder for Dropped {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match key.name() {
            "hearth_to_device_dropped_total" => Counter::from_arc(self.0.clone()),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
