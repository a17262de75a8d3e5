use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use kv::Tx;
use parking_lot::Mutex;
use ruma::{DeviceId, UserId};

use super::*;
use crate::{AccountError, DeviceChange};

/// Notes what it is told, and keeps the last run of each transaction only by counting distinct entries.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(String, DeviceChange)>>>);

impl DeviceProjection for Notes {
    fn device<'a>(
        &'a self,
        _: &'a mut Tx,
        _: &'a UserId,
        device: &'a DeviceId,
        change: DeviceChange,
    ) -> BoxFuture<'a, kv::Result<()>> {
        async move {
            let note = (device.to_string(), change);
            let mut notes = self.0.lock();
            if notes.last() != Some(&note) {
                notes.push(note);
            }
            Ok(())
        }
        .boxed()
    }
}

#[tokio::test]
async fn projections_follow_a_device_from_log_in_to_log_out() {
    let notes = Notes::default();
    let world = world_with(config(RegistrationMode::Open), vec![Box::new(notes.clone())]).await;
    let alice = world.user("alice").await;
    let accounts = &world.accounts;
    accounts.rename_device(&alice.user, &alice.device, Some("laptop")).await.unwrap();
    accounts.rename_device(&alice.user, &alice.device, Some("laptop")).await.unwrap();
    accounts.remove_devices(&alice.user, std::slice::from_ref(&alice.device)).await.unwrap();
    accounts.remove_devices(&alice.user, std::slice::from_ref(&alice.device)).await.unwrap();
    let id = alice.device.to_string();
    let expected =
        [DeviceChange::Added, DeviceChange::Renamed, DeviceChange::Removed].map(|change| (id.clone(), change));
    assert_eq!(*notes.0.lock(), expected);
}

#[tokio::test]
async fn devices_are_listed_with_name_and_last_seen() {
    let world = world().await;
    let alice = world.user("alice").await;
    let phone = NewDevice { id: Some("PHONE".into()), display_name: Some("phone".into()), refresh: false };
    world.accounts.log_in("alice", "sesame", phone).await.unwrap();
    world.accounts.seen(&alice.user, "PHONE".into(), "::ffff:192.0.2.7".parse().unwrap()).await.unwrap();
    let devices = world.accounts.devices(&alice.user).await.unwrap();
    let phone = devices.iter().find(|device| device.id == "PHONE").unwrap();
    assert_eq!(devices.len(), 2);
    assert_eq!(phone.display_name.as_deref(), Some("phone"));
    assert_eq!((phone.seen_at, phone.seen_ip.as_deref()), (Some(NOW), Some("192.0.2.7")));
    assert_eq!(world.accounts.device(&alice.user, "PHONE".into()).await.unwrap(), *phone);
}

#[tokio::test]
async fn a_long_name_is_cut_at_log_in_and_refused_later() {
    let world = world().await;
    let alice = world.user("alice").await;
    let long = "ü".repeat(200);
    let phone = NewDevice { id: Some("PHONE".into()), display_name: Some(long.clone()), refresh: false };
    world.accounts.log_in("alice", "sesame", phone).await.unwrap();
    let name = world.accounts.device(&alice.user, "PHONE".into()).await.unwrap().display_name.unwrap();
    assert_eq!(name, long[..254]);
    let refused = world.accounts.rename_device(&alice.user, "PHONE".into(), Some(&long)).await;
    assert!(matches!(refused, Err(AccountError::DeviceNameTooLong)));
    world.accounts.rename_device(&alice.user, "PHONE".into(), Some(&"x".repeat(255))).await.unwrap();
}

#[tokio::test]
async fn seen_is_noted_at_most_once_per_interval() {
    let world = world().await;
    let alice = world.user("alice").await;
    let accounts = &world.accounts;
    let seen = async || accounts.device(&alice.user, &alice.device).await.unwrap().seen_at;
    let ip = "192.0.2.7".parse().unwrap();
    accounts.seen(&alice.user, &alice.device, ip).await.unwrap();
    world.clock.advance(299_999);
    accounts.seen(&alice.user, &alice.device, ip).await.unwrap();
    assert_eq!(seen().await, Some(NOW));
    world.clock.advance(1);
    accounts.seen(&alice.user, &alice.device, ip).await.unwrap();
    assert_eq!(seen().await, Some(NOW + 300_000));
}

#[tokio::test]
async fn a_device_that_is_gone_is_not_seen_again() {
    let world = world().await;
    let alice = world.user("alice").await;
    world.accounts.remove_all_devices(&alice.user).await.unwrap();
    world.accounts.seen(&alice.user, &alice.device, "192.0.2.7".parse().unwrap()).await.unwrap();
    assert_eq!(world.accounts.devices(&alice.user).await.unwrap(), []);
    let answer = world.accounts.device(&alice.user, &alice.device).await;
    assert!(matches!(answer, Err(AccountError::UnknownDevice)));
}

#[tokio::test]
async fn devices_of_others_are_out_of_reach() {
    let world = world().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    world.accounts.remove_devices(&bob.user, std::slice::from_ref(&alice.device)).await.unwrap();
    assert!(world.accounts.who(&alice.access_token).await.is_ok());
    let answer = world.accounts.rename_device(&bob.user, &alice.device, Some("mine")).await;
    assert!(matches!(answer, Err(AccountError::UnknownDevice)));
}
