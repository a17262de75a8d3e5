//! Devices across servers on the in-memory engine, with other servers that are played.

mod told;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use account::{Accounts, NewAccount, NewDevice, Permit, RegistrationConfig, RegistrationMode};
use base::Clock;
use bytes::Bytes;
use e2ee::{DeviceUpload, Keys, KeysProjection, Mailbox, Targets};
use event::Signer;
use futures::future::{BoxFuture, FutureExt};
use kv::{Db, Read, flaky::Flaky, memory::Memory};
use parking_lot::Mutex;
use room::{
    EventNum, Membership, RoomNum, Rooms, UserRoom,
    tables::{ROOM_SERVERS, USER_ROOMS},
};
use ruma::{OwnedDeviceId, OwnedServerName, OwnedUserId, ServerName, UserId, server_name, user_id};
use serde_json::{Value, json, value::to_raw_value};

use super::{
    RemoteDevices,
    ask::{AskKeys, Claimed, ClaimedKeys, Queried, UserDevice, UserDevices},
    query::Wanted,
    tables::{LISTS, STALE},
};
use crate::{
    CallError,
    queue::{Post, Queue, Refused, tables::EDUS},
};

/// The keys that another server has, and how often it was asked.
#[derive(Debug, Default)]
struct Played {
    devices: BTreeMap<OwnedUserId, BTreeMap<String, Value>>,
    stream: u64,
    queries: usize,
    lists: usize,
    down: HashSet<OwnedServerName>,
}

#[derive(Debug, Clone, Default)]
struct Fake(Arc<Mutex<Played>>);

impl Fake {
    fn asked(&self, server: &ServerName) -> Result<parking_lot::MutexGuard<'_, Played>, CallError> {
        let played = self.0.lock();
        if played.down.contains(server) { Err(CallError::Timeout) } else { Ok(played) }
    }
}

impl AskKeys for Fake {
    fn query<'a>(
        &'a self,
        server: &'a ServerName,
        users: &'a [OwnedUserId],
        _: Duration,
    ) -> BoxFuture<'a, Result<Queried, CallError>> {
        async move {
            let mut played = self.asked(server)?;
            played.queries += 1;
            let mut told = Queried::default();
            for user in users {
                let devices = played.devices.get(user).cloned().unwrap_or_default();
                let devices = devices.into_iter().map(|(id, keys)| (id.into(), to_raw_value(&keys).unwrap()));
                told.device_keys.insert(user.clone(), devices.collect());
            }
            Ok(told)
        }
        .boxed()
    }

    fn claim<'a>(
        &'a self,
        server: &'a ServerName,
        wanted: &'a Claimed,
        _: Duration,
    ) -> BoxFuture<'a, Result<ClaimedKeys, CallError>> {
        async move {
            drop(self.asked(server)?);
            let key = || BTreeMap::from([("signed_curve25519:1".to_owned(), to_raw_value("key").unwrap())]);
            let mut keys = ClaimedKeys::new();
            for (user, devices) in wanted {
                let mut told: BTreeMap<OwnedDeviceId, _> = devices.keys().map(|id| (id.clone(), key())).collect();
                told.insert("UNASKED".into(), key());
                keys.insert(user.clone(), told);
            }
            keys.insert(user_id!("@alice:hearth.test").to_owned(), BTreeMap::from([("STOLEN".into(), key())]));
            Ok(keys)
        }
        .boxed()
    }

    fn devices<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<UserDevices, CallError>> {
        async move {
            let mut played = self.asked(user.server_name())?;
            played.lists += 1;
            let devices = played.devices.get(user).cloned().unwrap_or_default().into_iter();
            let devices = devices.map(|(id, keys)| UserDevice {
                device_id: id.into(),
                keys: to_raw_value(&keys).ok(),
                device_display_name: None,
            });
            let devices = devices.collect();
            Ok(UserDevices { stream_id: played.stream, devices, master_key: None, self_signing_key: None })
        }
        .boxed()
    }
}

impl Post for Fake {
    fn post<'a>(&'a self, _: &'a ServerName, _: &'a str, _: Bytes) -> BoxFuture<'a, Result<Bytes, Refused>> {
        futures::future::pending().boxed()
    }
}

struct Rig {
    db: Db,
    clock: Clock,
    accounts: Accounts,
    keys: Keys,
    mailbox: Mailbox,
    devices: RemoteDevices,
    fake: Fake,
}

fn bob() -> &'static UserId {
    user_id!("@bob:b.test")
}

fn keys(user: &UserId, device: &str, key: &str) -> Value {
    let name = format!("ed25519:{device}");
    json!({ "user_id": user, "device_id": device, "algorithms": [], "keys": { name: key }, "signatures": {} })
}

impl Rig {
    /// Alice is here, in a room with bob of `b.test`.
    async fn new() -> Self {
        let (db, server) = (Db::new(Flaky::new(Memory::new())), server_name!("hearth.test").to_owned());
        let clock = Clock::fixed(1_700_000_000_000);
        let registration = RegistrationConfig { mode: RegistrationMode::Open, ..RegistrationConfig::default() };
        let config = account::Config { registration, ..account::Config::default() };
        let accounts =
            Accounts::open(db.clone(), clock.clone(), server.clone(), config, vec![Box::new(KeysProjection)]).await;
        let accounts = accounts.unwrap();
        let signer = Arc::new(Signer::new(server.clone(), "ed25519:1".try_into().unwrap(), &[7; 32]));
        let rooms = Rooms::new(db.clone(), clock.clone(), signer, room::Config::default(), 1 << 20, Vec::new());
        let (keys, mailbox) =
            (Keys::new(db.clone(), server.clone()), Mailbox::new(db.clone(), clock.clone(), server.clone()));
        let fake = Fake::default();
        let queue = Queue::new(db.clone(), clock.clone(), server, Arc::new(fake.clone()));
        let asks = Arc::new(fake.clone());
        let devices = RemoteDevices::asking(rooms, keys.clone(), mailbox.clone(), clock.clone(), asks, queue);
        let rig = Self { db, clock, accounts, keys, mailbox, devices, fake };
        let device = Some(NewDevice { id: Some("ONE".into()), ..NewDevice::default() });
        let new = NewAccount { name: Some("alice".into()), phc: None, permit: Permit::Mode, device };
        rig.accounts.register(&new).await.unwrap();
        rig.member(rig.alice(), 1, Membership::Join).await;
        rig.member(bob(), 1, Membership::Join).await;
        rig
    }

    fn alice(&self) -> &'static UserId {
        user_id!("@alice:hearth.test")
    }

    async fn member(&self, user: &UserId, room: u64, membership: Membership) {
        let mut tx = self.db.begin();
        let slot = tx.stamp();
        let row = UserRoom { membership, event: EventNum(1), place: None, forgotten: false };
        tx.put_stamped(&USER_ROOMS, (user, RoomNum(room)), slot, row);
        match membership {
            Membership::Join => tx.put(&ROOM_SERVERS, (RoomNum(room), user.server_name()), &1),
            _ => tx.delete(&ROOM_SERVERS, (RoomNum(room), user.server_name())),
        }
        kv_commit(tx).await;
    }

    fn has(&self, user: &UserId, device: &str, key: &str) {
        let mut played = self.fake.0.lock();
        played.devices.entry(user.to_owned()).or_default().insert(device.to_owned(), keys(user, device, key));
    }

    async fn query(&self, user: &UserId) -> Result<HashMap<String, String>, CallError> {
        let wanted = Wanted::from([(user.to_owned(), Vec::new())]);
        let mut answers = self.devices.query(self.alice(), &wanted, Duration::from_secs(1)).await.unwrap();
        let Some(found) = answers.found.remove(user) else {
            return Err(answers.failures.remove(user.server_name()).unwrap());
        };
        let key = |(device, keys): (OwnedDeviceId, Box<serde_json::value::RawValue>)| {
            let keys: Value = serde_json::from_str(keys.get()).unwrap();
            (device.to_string(), keys["keys"][format!("ed25519:{device}")].as_str().unwrap().to_owned())
        };
        Ok(found.devices.into_iter().map(key).collect())
    }

    async fn update(&self, stream: u64, previous: &[u64], device: &str, key: Option<&str>) {
        let content = json!({
            "user_id": bob(), "device_id": device, "stream_id": stream, "prev_id": previous,
            "deleted": key.is_none(), "keys": key.map(|key| keys(bob(), device, key)),
        });
        self.edu("m.device_list_update", &content).await;
    }

    async fn edu(&self, kind: &str, content: &Value) {
        self.devices.handle_edu(bob().server_name(), kind, &content.to_string()).await.unwrap();
    }

    fn asked(&self) -> (usize, usize) {
        let played = self.fake.0.lock();
        (played.queries, played.lists)
    }

    /// What waits for `b.test`, and takes it away.
    async fn told(&self) -> Vec<Value> {
        let rows = self.db.view().scan(&EDUS, EDUS.all()).collect().await.unwrap();
        let mut tx = self.db.begin();
        tx.clear(&EDUS, &());
        kv_commit(tx).await;
        rows.into_iter().map(|(_, text)| serde_json::from_str(&text).unwrap()).collect()
    }

    async fn is_stale(&self) -> bool {
        self.db.view().has(&STALE, bob()).await.unwrap()
    }

    async fn changed(&self) -> Option<kv::Stamp> {
        Keys::changed_at(&self.db.view(), bob()).await.unwrap()
    }
}

/// Commits on an engine that makes the first commit of a transaction fail now and then.
async fn kv_commit(tx: kv::Tx) {
    tx.commit().await.unwrap();
}

fn map<const N: usize>(entries: [(&str, &str); N]) -> HashMap<String, String> {
    entries.into_iter().map(|(device, key)| (device.to_owned(), key.to_owned())).collect()
}

#[tokio::test]
async fn a_list_is_asked_for_once_while_a_room_is_shared() {
    let rig = Rig::new().await;
    rig.has(bob(), "B", "1");
    assert_eq!(rig.query(bob()).await, Ok(map([("B", "1")])));
    assert_eq!(rig.query(bob()).await, Ok(map([("B", "1")])));
    assert_eq!(rig.asked(), (1, 0));
    let carol = user_id!("@carol:b.test");
    rig.has(carol, "C", "1");
    assert_eq!(rig.query(carol).await, Ok(map([("C", "1")])));
    assert_eq!(rig.query(carol).await, Ok(map([("C", "1")])), "no room is shared: it is asked again");
    assert_eq!(rig.asked(), (3, 0));
}

#[tokio::test]
async fn who_left_and_came_back_is_asked_anew() {
    let rig = Rig::new().await;
    rig.has(bob(), "B", "1");
    rig.query(bob()).await.unwrap();
    for who in [bob(), rig.alice()] {
        rig.member(who, 1, Membership::Leave).await;
        rig.member(who, 1, Membership::Join).await;
        let before = rig.asked().0;
        rig.query(bob()).await.unwrap();
        rig.query(bob()).await.unwrap();
        assert_eq!(rig.asked().0, before + 1);
    }
    rig.member(bob(), 1, Membership::Leave).await;
    rig.update(9, &[8], "B", Some("9")).await;
    assert!(!rig.db.view().has(&LISTS, bob()).await.unwrap(), "nobody is told of their changes");
}

#[tokio::test]
async fn changes_are_taken_in_order_and_a_gap_leads_to_asking_for_all() {
    let rig = Rig::new().await;
    rig.has(bob(), "B", "1");
    rig.query(bob()).await.unwrap();
    // What was fetched by a query has no number.
    rig.fake.0.lock().stream = 5;
    rig.update(5, &[4], "B", Some("1")).await;
    assert!(rig.is_stale().await);
    assert_eq!(rig.devices.resync().await.unwrap(), 1);
    assert_eq!(rig.devices.resync().await.unwrap(), 0, "once");
    assert_eq!(rig.asked(), (1, 1));
    let before = rig.changed().await;
    rig.update(6, &[5], "C", Some("2")).await;
    assert_ne!(rig.changed().await, before);
    assert!(!rig.is_stale().await);
    assert_eq!(rig.query(bob()).await, Ok(map([("B", "1"), ("C", "2")])));
    let before = rig.changed().await;
    rig.update(6, &[5], "C", Some("2")).await;
    assert_eq!(rig.changed().await, before, "it was known");
    rig.update(7, &[6], "B", None).await;
    assert_eq!(rig.query(bob()).await, Ok(map([("C", "2")])));
    rig.update(9, &[8], "D", Some("3")).await;
    assert!(rig.is_stale().await);
    rig.fake.0.lock().devices.clear();
    rig.has(bob(), "D", "3");
    assert_eq!(rig.devices.resync().await.unwrap(), 1);
    assert_eq!(rig.query(bob()).await, Ok(map([("D", "3")])));
    assert_eq!(rig.asked(), (1, 2), "clients are answered from what is kept");
}

#[tokio::test]
async fn a_server_that_fails_is_asked_later_and_old_keys_serve_meanwhile() {
    let rig = Rig::new().await;
    let b = bob().server_name().to_owned();
    rig.fake.0.lock().down.insert(b.clone());
    assert_eq!(rig.query(bob()).await, Err(CallError::Timeout));
    rig.fake.0.lock().down.clear();
    rig.has(bob(), "B", "1");
    rig.query(bob()).await.unwrap();
    rig.update(5, &[4], "B", Some("2")).await;
    rig.fake.0.lock().down.insert(b);
    assert_eq!(rig.devices.resync().await.unwrap(), 1);
    assert_eq!(rig.devices.resync().await.unwrap(), 0, "not at once");
    assert_eq!(rig.query(bob()).await, Ok(map([("B", "1")])));
    rig.fake.0.lock().down.clear();
    rig.has(bob(), "B", "2");
    rig.clock.advance(10_000);
    assert_eq!(rig.devices.resync().await.unwrap(), 1);
    assert!(!rig.is_stale().await);
    assert_eq!(rig.query(bob()).await, Ok(map([("B", "2")])));
}

#[tokio::test]
async fn what_is_not_the_servers_to_say_or_makes_no_sense_changes_nothing() {
    let rig = Rig::new().await;
    let other = server_name!("other.test");
    let mail = json!({ "sender": bob(), "type": "m.x", "message_id": "1", "messages": { rig.alice(): { "ONE": {} } } });
    let update = json!({ "user_id": bob(), "device_id": "B", "stream_id": 1, "prev_id": [] });
    for (kind, content) in [("m.direct_to_device", &mail), ("m.device_list_update", &update)] {
        rig.devices.handle_edu(other, kind, &content.to_string()).await.unwrap();
        rig.devices.handle_edu(bob().server_name(), kind, "[1]").await.unwrap();
        rig.devices.handle_edu(bob().server_name(), kind, "{\"stream_id\":-1}").await.unwrap();
    }
    assert_eq!(rig.changed().await, None);
    rig.has(bob(), "B", "1");
    rig.fake.0.lock().devices.get_mut(bob()).unwrap().insert("FAKE".into(), json!({ "user_id": "@x:y" }));
    rig.fake.0.lock().devices.get_mut(bob()).unwrap().insert("ODD".into(), json!(7));
    assert_eq!(rig.query(bob()).await, Ok(map([("B", "1")])));
}

#[tokio::test]
async fn messages_of_other_servers_come_once() {
    let rig = Rig::new().await;
    let mail = json!({
        "sender": bob(), "type": "m.x", "message_id": "1",
        "messages": { rig.alice(): { "*": { "n": 1 }, "TWO": {} }, "@carol:b.test": { "C": {} } },
    });
    rig.edu("m.direct_to_device", &mail).await;
    rig.edu("m.direct_to_device", &mail).await;
    let view = rig.db.view();
    let device = OwnedDeviceId::from("ONE");
    let got = rig.mailbox.read(&view, rig.alice(), &device, None, view.positions()).await.unwrap().messages;
    assert_eq!(got, [r#"{"type":"m.x","sender":"@bob:b.test","content":{"n":1}}"#]);
}

#[tokio::test]
async fn claims_are_answered_by_whose_users_they_are() {
    let rig = Rig::new().await;
    rig.fake.0.lock().down.insert(server_name!("c.test").to_owned());
    let one = |device: &str| BTreeMap::from([(OwnedDeviceId::from(device), "signed_curve25519".to_owned())]);
    let wanted = BTreeMap::from([(bob().to_owned(), one("B")), (user_id!("@carl:c.test").to_owned(), one("C"))]);
    let claims = rig.devices.claim(wanted, Duration::from_secs(1)).await.unwrap();
    let users: Vec<_> = claims.keys.iter().map(|(user, devices)| (user.as_str(), devices.len())).collect();
    assert_eq!(users, [("@bob:b.test", 1)], "only what was asked for");
    assert_eq!(claims.failures.into_keys().collect::<Vec<_>>(), [server_name!("c.test")]);
}
