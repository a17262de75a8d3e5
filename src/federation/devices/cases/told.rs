//! What other servers are told of our users, and messages to their devices.

use super::*;
use crate::devices::{DeviceError, tables::JOINED};

#[tokio::test]
async fn other_servers_are_told_of_each_change_once() {
    let rig = Rig::new().await;
    rig.devices.announce().await.unwrap();
    let told = rig.told().await;
    assert_eq!(told.len(), 1);
    let content = &told[0]["content"];
    assert_eq!((&told[0]["edu_type"], &content["device_id"]), (&json!("m.device_list_update"), &json!("ONE")));
    assert_eq!((&content["prev_id"], &content["keys"]), (&json!([1]), &Value::Null));
    rig.devices.announce().await.unwrap();
    assert!(rig.told().await.is_empty());

    let of_alice = serde_json::from_value(keys(rig.alice(), "ONE", "k")).unwrap();
    let upload = DeviceUpload { device_keys: Some(of_alice), ..DeviceUpload::default() };
    let device = OwnedDeviceId::from("ONE");
    rig.keys.upload(rig.alice(), &device, &upload).await.unwrap();
    rig.accounts.rename_device(rig.alice(), &device, Some("phone")).await.unwrap();
    rig.devices.announce().await.unwrap();
    let told = rig.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["content"]["keys"]["keys"]["ed25519:ONE"], "k");
    assert_eq!(told[0]["content"]["keys"]["unsigned"], Value::Null, "what it is called is not told");
    assert_eq!(told[0]["content"]["prev_id"], json!([content["stream_id"]]));
    let list = json!(rig.devices.list(rig.alice()).await.unwrap());
    assert_eq!(list["stream_id"], told[0]["content"]["stream_id"]);
    assert_eq!(list["devices"][0]["device_id"], "ONE");

    rig.accounts.remove_devices(rig.alice(), &[device]).await.unwrap();
    rig.devices.announce().await.unwrap();
    let told = rig.told().await;
    assert_eq!((told.len(), &told[0]["content"]["deleted"]), (1, &json!(true)));
}

#[tokio::test]
async fn a_new_name_is_a_change_and_told_only_where_it_may_be() {
    let rig = Rig::new().await;
    let device = OwnedDeviceId::from("ONE");
    let of_alice = serde_json::from_value(keys(rig.alice(), "ONE", "k")).unwrap();
    let upload = DeviceUpload { device_keys: Some(of_alice), ..DeviceUpload::default() };
    rig.keys.upload(rig.alice(), &device, &upload).await.unwrap();
    rig.devices.announce().await.unwrap();
    rig.told().await;
    rig.accounts.rename_device(rig.alice(), &device, Some("phone")).await.unwrap();
    rig.devices.announce().await.unwrap();
    let told = rig.told().await;
    assert_eq!((told.len(), &told[0]["content"]["device_display_name"]), (1, &Value::Null));
    assert_eq!(told[0]["content"]["keys"]["unsigned"], Value::Null);

    let telling = rig.devices.clone().telling_names(true);
    rig.accounts.rename_device(rig.alice(), &device, Some("tablet")).await.unwrap();
    telling.announce().await.unwrap();
    let told = rig.told().await;
    assert_eq!((told.len(), &told[0]["content"]["device_display_name"]), (1, &json!("tablet")));
    assert_eq!(json!(telling.list(rig.alice()).await.unwrap())["devices"][0]["device_display_name"], "tablet");
    let wanted = Wanted::from([(rig.alice().to_owned(), Vec::new())]);
    let told = telling.told(&wanted).await.unwrap().remove(rig.alice()).unwrap();
    let told: Value = serde_json::from_str(told.devices[&device].get()).unwrap();
    assert_eq!(told["unsigned"]["device_display_name"], "tablet");
}

#[tokio::test]
async fn names_that_other_servers_tell_are_shown() {
    let rig = Rig::new().await;
    rig.has(bob(), "B", "1");
    rig.query(bob()).await.unwrap();
    rig.fake.0.lock().stream = 5;
    rig.update(5, &[4], "B", Some("1")).await;
    rig.devices.resync().await.unwrap();
    let content = json!({
        "user_id": bob(), "device_id": "B", "stream_id": 6, "prev_id": [5], "keys": keys(bob(), "B", "1"),
        "device_display_name": "boat",
    });
    rig.edu("m.device_list_update", &content).await;
    let wanted = Wanted::from([(bob().to_owned(), Vec::new())]);
    let found = rig.devices.query(rig.alice(), &wanted, Duration::from_secs(1)).await.unwrap().found;
    let shown: Value = serde_json::from_str(found[bob()].devices[&OwnedDeviceId::from("B")].get()).unwrap();
    assert_eq!(shown["unsigned"]["device_display_name"], "boat");
}

#[tokio::test]
async fn servers_that_a_user_begins_to_share_a_room_with_are_told_once() {
    let rig = Rig::new().await;
    rig.devices.announce().await.unwrap();
    rig.told().await;
    let carl = user_id!("@carl:c.test");
    let join = async |room: u64| {
        rig.member(rig.alice(), room, Membership::Join).await;
        let mut tx = rig.db.begin();
        tx.put(&JOINED, (rig.alice(), RoomNum(room)), &());
        kv_commit(tx).await;
        assert_eq!(rig.devices.introduce().await.unwrap(), 1);
        assert_eq!(rig.devices.introduce().await.unwrap(), 0, "once");
        rig.told().await
    };
    for other in [bob(), carl] {
        rig.member(other, 2, Membership::Join).await;
    }
    let told = join(2).await;
    // A room was shared with bob before.
    assert_eq!(told.len(), 1);
    let content = &told[0]["content"];
    assert_eq!((&content["user_id"], &content["device_id"]), (&json!(rig.alice()), &json!("ONE")));
    assert_eq!(content["prev_id"], json!([content["stream_id"]]), "nothing has changed");
    rig.member(carl, 3, Membership::Join).await;
    assert!(join(3).await.is_empty(), "a room was shared with both");
    for n in 0..150 {
        let other = UserId::parse(format!("@u:s{n}.test")).unwrap();
        rig.member(&other, 4, Membership::Join).await;
    }
    let told = join(4).await.len();
    assert!((1..=100).contains(&told), "a large room: {told} servers are told");
}

#[tokio::test]
async fn who_introduces_themselves_is_asked_for_all_where_an_older_list_is_kept_and_only_there() {
    let rig = Rig::new().await;
    rig.update(5, &[5], "B", Some("1")).await;
    assert_eq!(rig.changed().await, None, "clients know of the join");
    rig.has(bob(), "B", "1");
    rig.query(bob()).await.unwrap();
    rig.fake.0.lock().stream = 5;
    rig.update(5, &[5], "B", Some("1")).await;
    assert!(rig.is_stale().await, "what was fetched had no number");
    rig.devices.resync().await.unwrap();
    let before = rig.changed().await;
    rig.update(5, &[5], "B", Some("1")).await;
    assert!(!rig.is_stale().await);
    assert_eq!(rig.changed().await, before, "it is known");
    rig.update(7, &[7], "B", Some("2")).await;
    assert!(rig.is_stale().await);
}

#[tokio::test]
async fn a_message_that_no_server_takes_is_refused() {
    let rig = Rig::new().await;
    let device = OwnedDeviceId::from("ONE");
    let content = BTreeMap::from([("B".to_owned(), json!({ "body": "x".repeat(70_000) }).to_string())]);
    let targets = Targets::from([(bob().to_owned(), content)]);
    let sent = rig.devices.send_to_devices((rig.alice(), &device), "m.x", "t", &targets).await;
    assert!(matches!(sent, Err(DeviceError::TooLarge)));
    assert!(rig.told().await.is_empty());
}

#[tokio::test]
async fn messages_to_other_servers_wait_on_disk_once_for_each_transaction() {
    let rig = Rig::new().await;
    let content = || BTreeMap::from([("*".to_owned(), json!({ "n": 1 }).to_string())]);
    let targets = Targets::from([(bob().to_owned(), content()), (rig.alice().to_owned(), content())]);
    let device = OwnedDeviceId::from("ONE");
    for _ in 0..2 {
        rig.devices.send_to_devices((rig.alice(), &device), "m.x", "t", &targets).await.unwrap();
    }
    let told = rig.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["content"]["messages"], json!({ bob(): { "*": { "n": 1 } } }));
    assert_eq!((&told[0]["content"]["sender"], &told[0]["content"]["type"]), (&json!(rig.alice()), &json!("m.x")));
}
