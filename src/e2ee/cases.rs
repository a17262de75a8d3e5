//! Behaviour of the crate as its callers see it; most tests run on an engine that makes first commits conflict too.

mod cross_signing;
mod forgetting;

use std::{collections::BTreeMap, sync::Arc};

use account::{Accounts, Config, NewAccount, NewDevice, Permit, RegistrationConfig, RegistrationMode};
use base::Clock;
use kv::{Db, Engine, Read, flaky::Flaky, memory::Memory};
use proptest::prelude::*;
use ruma::{CanonicalJsonObject, OwnedDeviceId, OwnedUserId, owned_server_name};
use serde_json::{Value, json};

use crate::{
    BackedUp, Backups, DeviceUpload, E2eeError, Keys, KeysProjection, Mailbox, Scope, Targets,
    claim::REMEMBERED,
    one_time::counted,
    tables::{LEFT, ONE_TIME_IDS},
};

struct World {
    db: Db,
    clock: Clock,
    accounts: Accounts,
    keys: Keys,
    mailbox: Mailbox,
    backups: Backups,
}

type Device = (OwnedUserId, OwnedDeviceId);

impl World {
    async fn on(engine: Arc<dyn Engine>) -> Self {
        let (db, server) = (Db::new(engine), owned_server_name!("hearth.test"));
        let registration = RegistrationConfig { mode: RegistrationMode::Open, ..RegistrationConfig::default() };
        let config = Config { registration, ..Config::default() };
        let clock = Clock::fixed(1_800_000_000_000);
        let accounts =
            Accounts::open(db.clone(), clock.clone(), server.clone(), config, vec![Box::new(KeysProjection)]).await;
        Self {
            accounts: accounts.unwrap(),
            keys: Keys::new(db.clone(), server.clone()),
            mailbox: Mailbox::new(db.clone(), clock.clone(), server),
            backups: Backups::new(db.clone()),
            db,
            clock,
        }
    }

    async fn new() -> Self {
        Self::on(Flaky::new(Memory::new())).await
    }

    async fn user(&self, name: &str) -> Device {
        let device = Some(NewDevice { id: Some("ONE".into()), ..NewDevice::default() });
        let new = NewAccount { name: Some(name.into()), phc: None, permit: Permit::Mode, device };
        let (user, _) = self.accounts.register(&new).await.unwrap();
        (user, "ONE".into())
    }

    async fn device(&self, user: &OwnedUserId, id: &str) -> Device {
        let device = NewDevice { id: Some(id.into()), ..NewDevice::default() };
        self.accounts.log_in_as(user, device).await.unwrap();
        (user.clone(), id.into())
    }

    async fn upload(&self, device: &Device, upload: &DeviceUpload) -> Result<u64, E2eeError> {
        let counts = self.keys.upload(&device.0, &device.1, upload).await?;
        self.compare_left(device).await;
        Ok(counts.one_time.get("signed_curve25519").copied().unwrap_or_default())
    }

    async fn claim(&self, device: &Device) -> Option<String> {
        let wanted = [(device.0.clone(), device.1.clone(), "signed_curve25519".to_owned())];
        let claimed = self.keys.claim(&wanted).await.unwrap().pop().map(|key| key.id);
        self.compare_left(device).await;
        claimed
    }

    /// What is noted of a device's keys is what there is.
    async fn compare_left(&self, (user, device): &Device) {
        let view = self.db.view();
        let left = view.get(&LEFT, (user, device)).await.unwrap();
        let there = counted(&view, user, device).await.unwrap();
        assert!(left.is_none_or(|left| left == there), "{there:?}");
    }

    async fn mail(&self, device: &Device, since: Option<&kv::Positions>) -> (Vec<String>, kv::Positions) {
        let view = self.db.view();
        let mail = self.mailbox.read(&view, &device.0, &device.1, since, view.positions()).await.unwrap();
        (mail.messages, mail.upto.unwrap_or_else(|| view.positions().clone()))
    }

    async fn send(&self, from: &Device, transaction: &str, to: &OwnedUserId, device: &str, n: usize) {
        let contents = BTreeMap::from([(device.to_owned(), json!({ "n": n }).to_string())]);
        let targets = Targets::from([(to.clone(), contents)]);
        self.mailbox.send((&from.0, &from.1), "m.test", transaction, &targets).await.unwrap();
    }
}

fn object(value: Value) -> CanonicalJsonObject {
    serde_json::from_value(value).unwrap()
}

fn id(n: usize) -> String {
    format!("signed_curve25519:{n}")
}

fn one_time(ids: impl IntoIterator<Item = usize>, key: &str) -> DeviceUpload {
    let one_time = ids.into_iter().map(|n| (id(n), object(json!({ "key": format!("{key}{n}") })))).collect();
    DeviceUpload { one_time, ..DeviceUpload::default() }
}

#[test]
fn tables_have_ids_of_this_crate_and_of_their_own() {
    let mut ids: Vec<_> = crate::tables::ALL.iter().map(|table| table.id).collect();
    assert!(ids.iter().all(|id| id >> 8 == 7));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), crate::tables::ALL.len());
}

#[tokio::test]
async fn the_same_key_may_come_again_and_another_under_its_id_may_not() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    assert_eq!(world.upload(&alice, &one_time([1, 2], "k")).await.unwrap(), 2);
    assert_eq!(world.upload(&alice, &one_time([1, 2], "k")).await.unwrap(), 2);
    let other = world.upload(&alice, &one_time([2], "x")).await;
    assert!(matches!(other, Err(E2eeError::KeyExists(name)) if name == id(2)));
    assert_eq!(world.claim(&alice).await, Some(id(1)));
    // A key that was claimed does not come back.
    assert_eq!(world.upload(&alice, &one_time([1, 2], "k")).await.unwrap(), 1);
    assert_eq!(world.claim(&alice).await, Some(id(2)));
    assert_eq!(world.claim(&alice).await, None);
}

#[tokio::test]
async fn claimed_keys_are_forgotten_when_many_were_claimed_after_them() {
    let world = World::on(Memory::new()).await;
    let alice = world.user("alice").await;
    let last = usize::try_from(REMEMBERED).unwrap();
    world.upload(&alice, &one_time([0], "k")).await.unwrap();
    world.upload(&alice, &one_time(1..last, "k")).await.unwrap();
    while world.claim(&alice).await.is_some() {}
    assert_eq!(world.upload(&alice, &one_time([0, 1], "k")).await.unwrap(), 0, "all are remembered");
    world.upload(&alice, &one_time([last], "k")).await.unwrap();
    assert_eq!(world.claim(&alice).await, Some(id(last)));
    assert_eq!(world.upload(&alice, &one_time([0, 1, last], "k")).await.unwrap(), 1, "the first one is forgotten");
    let ids = world.db.view().scan(&ONE_TIME_IDS, ONE_TIME_IDS.all()).collect().await.unwrap();
    assert_eq!(ids.len(), last + 1);
}

#[tokio::test]
async fn what_is_too_large_or_malformed_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let large = BTreeMap::from([(id(1), object(json!({ "key": "x".repeat(9000) })))]);
    let keys = |algorithms: Value, keys: Value, signatures: Value| {
        let keys = json!({ "user_id": alice.0, "device_id": "ONE", "algorithms": algorithms, "keys": keys,
            "signatures": signatures });
        DeviceUpload { device_keys: Some(object(keys)), ..one_time([2], "k") }
    };
    let refused = [
        DeviceUpload { one_time: large.clone(), ..DeviceUpload::default() },
        DeviceUpload { fallback: large, ..one_time([2], "k") },
        one_time(0..1001, "k"),
        keys(json!([1]), json!({}), json!({})),
        keys(json!([]), json!({ "ed25519:ONE": {} }), json!({})),
        keys(json!([]), json!({}), json!({ "@alice:hearth.test": { "ed25519:ONE": 1 } })),
        keys(json!([]), json!({ "ed25519:ONE": "x".repeat(60_000) }), json!({})),
    ];
    for upload in &refused {
        assert!(world.upload(&alice, upload).await.is_err());
    }
    assert_eq!(world.claim(&alice).await, None);
    let fine = keys(json!(["a"]), json!({ "ed25519:ONE": "k" }), json!({ alice.0.clone(): { "ed25519:ONE": "s" } }));
    assert_eq!(world.upload(&alice, &fine).await.unwrap(), 1);
}

#[tokio::test]
async fn a_fallback_key_serves_when_no_other_is_left_and_counts_as_used() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let fallback = BTreeMap::from([(id(9), object(json!({ "key": "f", "fallback": true })))]);
    let upload = DeviceUpload { fallback, ..one_time([1], "k") };
    world.upload(&alice, &upload).await.unwrap();
    let unused = async || world.keys.counts(&world.db.view(), &alice.0, &alice.1).await.unwrap().unused_fallbacks.len();
    assert_eq!(unused().await, 1);
    assert_eq!(world.claim(&alice).await, Some(id(1)));
    assert_eq!(unused().await, 1);
    assert_eq!(world.claim(&alice).await, Some(id(9)));
    assert_eq!(world.claim(&alice).await, Some(id(9)));
    assert_eq!(unused().await, 0);
    world.upload(&alice, &upload).await.unwrap();
    assert_eq!(unused().await, 0, "the same fallback key stays used");
}

#[tokio::test]
async fn what_belongs_to_a_device_goes_with_it() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let keys =
        object(json!({ "user_id": alice.0, "device_id": "ONE", "keys": {}, "algorithms": [], "signatures": {} }));
    let upload = DeviceUpload { device_keys: Some(keys), ..one_time([1], "k") };
    world.upload(&alice, &upload).await.unwrap();
    world.send(&alice, "t", &alice.0, "*", 1).await;
    assert_eq!(world.keys.query(Some(&alice.0), &alice.0, &[]).await.unwrap().devices.len(), 1);
    world.accounts.remove_devices(&alice.0, std::slice::from_ref(&alice.1)).await.unwrap();
    assert!(world.keys.query(Some(&alice.0), &alice.0, &[]).await.unwrap().devices.is_empty());
    assert_eq!(world.claim(&alice).await, None);
    assert!(world.mail(&alice, None).await.0.is_empty());
    assert!(matches!(world.upload(&alice, &upload).await, Err(E2eeError::UnknownDevice)));
}

#[tokio::test]
async fn a_change_moves_its_user_to_the_end_of_the_log() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let before = world.db.positions();
    world.accounts.rename_device(&alice.0, &alice.1, Some("phone")).await.unwrap();
    let after = world.db.positions();
    let writer = world.db.writer();
    let stamp = |n| kv::Stamp { writer, n };
    let changed = async |from: &kv::Positions, to: &kv::Positions| {
        let (from, to) = (stamp(from.of(writer) + 1), stamp(to.of(writer) + 1));
        world.keys.changed(&world.db.view(), from, to).await.unwrap()
    };
    assert_eq!(changed(&before, &after).await, [alice.0.clone()].into());
    world.device(&bob.0, "TWO").await;
    world.accounts.rename_device(&alice.0, &alice.1, Some("tablet")).await.unwrap();
    let now = world.db.positions();
    assert_eq!(changed(&after, &now).await, [alice.0.clone(), bob.0].into());
    assert!(changed(&before, &after).await.is_empty(), "one row per user");
}

#[tokio::test]
async fn a_message_goes_to_every_device_once_and_in_order() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let second = world.device(&bob.0, "TWO").await;
    world.send(&alice, "a", &bob.0, "*", 1).await;
    world.send(&alice, "a", &bob.0, "*", 1).await;
    world.send(&alice, "b", &bob.0, "TWO", 2).await;
    world.send(&alice, "c", &bob.0, "GONE", 3).await;
    assert_eq!(world.mail(&bob, None).await.0.len(), 1);
    let (mail, upto) = world.mail(&second, None).await;
    let read: Vec<Value> = mail.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(read[0], json!({ "type": "m.test", "sender": alice.0, "content": { "n": 1 } }));
    assert_eq!(read[1]["content"]["n"], 2);
    world.mailbox.acknowledge(&second.0, &second.1, &upto).await.unwrap();
    assert!(world.mail(&second, None).await.0.is_empty());
    assert_eq!(world.mail(&bob, None).await.0.len(), 1);
}

#[tokio::test]
async fn large_messages_come_in_more_responses() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let contents = BTreeMap::from([("*".to_owned(), json!({ "key": "x".repeat(300_000) }).to_string())]);
    let targets = Targets::from([(bob.0.clone(), contents)]);
    for transaction in ["a", "b", "c", "d", "e"] {
        world.mailbox.send((&alice.0, &alice.1), "m.test", transaction, &targets).await.unwrap();
    }
    let (mail, upto) = world.mail(&bob, None).await;
    assert_eq!(mail.len(), 4);
    assert_eq!(world.mail(&bob, Some(&upto)).await.0.len(), 1);
}

#[tokio::test]
async fn better_sessions_replace_worse_ones_in_the_newest_backup_only() {
    let world = World::new().await;
    let (user, _) = world.user("alice").await;
    let session = |verified, index, forwarded| BackedUp {
        first_message_index: index,
        forwarded_count: forwarded,
        is_verified: verified,
        session_data: "{}".into(),
    };
    let put = async |version: &str, session: BackedUp| {
        let sessions = BTreeMap::from([("!r".to_owned(), BTreeMap::from([("s".to_owned(), session)]))]);
        world.backups.put(&user, version, &sessions).await
    };
    let first = world.backups.create(&user, "a", "{}").await.unwrap();
    let mut etag = put(&first, session(false, 5, 5)).await.unwrap().etag;
    for (next, taken) in [
        (session(false, 5, 5), false),
        (session(false, 5, 4), true),
        (session(false, 4, 9), true),
        (session(true, 9, 9), true),
        (session(false, 0, 0), false),
    ] {
        let state = put(&first, next).await.unwrap();
        assert_eq!((state.etag != etag, state.count), (taken, 1));
        etag = state.etag;
    }
    let second = world.backups.create(&user, "a", "{}").await.unwrap();
    let refused = put(&first, session(true, 0, 0)).await;
    assert!(matches!(refused, Err(E2eeError::WrongVersion { current }) if current == second));
    world.backups.delete(&user, &second).await.unwrap();
    assert_eq!(world.backups.info(&user, None).await.unwrap().version, first);
    assert_eq!(world.backups.remove(&user, &first, &Scope::All).await.unwrap().count, 0);
    assert_ne!(world.backups.create(&user, "a", "{}").await.unwrap(), second, "a number is used once");
}

#[tokio::test]
async fn a_large_backup_is_read_by_pages_and_emptied_room_by_room() {
    let world = World::new().await;
    let (user, _) = world.user("alice").await;
    let session = BackedUp { first_message_index: 0, forwarded_count: 0, is_verified: true, session_data: "{}".into() };
    let room = |count: usize| (0..count).map(|n| (format!("s{n:04}"), session.clone())).collect::<BTreeMap<_, _>>();
    let sessions = BTreeMap::from([("!a".to_owned(), room(300)), ("!b".to_owned(), room(2))]);
    let version = world.backups.create(&user, "a", "{}").await.unwrap();
    assert_eq!(world.backups.put(&user, &version, &sessions).await.unwrap().count, 302);
    let read = async |scope: Scope| {
        let mut pages = world.backups.sessions(&user, &version, &scope).await.unwrap();
        let mut found = BTreeMap::<_, BTreeMap<_, _>>::new();
        loop {
            let page = pages.next().await.unwrap();
            assert!(page.len() <= 128);
            if page.is_empty() {
                return found;
            }
            for (room, id, session) in page {
                found.entry(room).or_default().insert(id, session);
            }
        }
    };
    assert_eq!(read(Scope::All).await, sessions);
    assert_eq!(read(Scope::Room("!b".into())).await["!b"].len(), 2);
    assert_eq!(read(Scope::Session("!a".into(), "s0007".into())).await["!a"].len(), 1);
    let count = async |scope: Scope| world.backups.remove(&user, &version, &scope).await.unwrap().count;
    assert_eq!(count(Scope::Session("!a".into(), "s0007".into())).await, 301);
    assert_eq!(count(Scope::Room("!b".into())).await, 299);
    assert_eq!(count(Scope::Room("!b".into())).await, 299);
    assert_eq!(count(Scope::All).await, 0);
    assert!(read(Scope::All).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_claims_at_once_never_get_the_same_key() {
    let world = Arc::new(World::on(Memory::new()).await);
    let alice = world.user("alice").await;
    world.upload(&alice, &one_time(0..200, "k")).await.unwrap();
    let claims = (0..16).map(|_| {
        let (world, alice) = (world.clone(), alice.clone());
        tokio::spawn(async move {
            let mut got = Vec::new();
            for _ in 0..12 {
                got.extend(world.claim(&alice).await);
            }
            got
        })
    });
    let mut all: Vec<_> = futures::future::join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(all.len(), 192);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 192);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Uploads and claims in any order: what is claimed is what was uploaded, in that order, each once.
    #[test]
    fn claims_are_the_uploads_in_their_order(steps in prop::collection::vec(prop::option::of(0usize..40), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let alice = world.user("alice").await;
            let (mut uploaded, mut claimed) = (Vec::new(), Vec::new());
            for step in steps {
                if let Some(n) = step {
                    world.upload(&alice, &one_time([n], "k")).await.unwrap();
                    if !uploaded.contains(&id(n)) {
                        uploaded.push(id(n));
                    }
                } else {
                    claimed.extend(world.claim(&alice).await);
                }
            }
            while let Some(key) = world.claim(&alice).await {
                claimed.push(key);
            }
            assert_eq!(uploaded, claimed);
        });
    }

    /// However responses are lost and repeated, the device sees every message, in order, and none after it was
    /// acknowledged.
    #[test]
    fn messages_are_acknowledged_once(count in 1usize..230, lost in prop::collection::vec(any::<bool>(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::on(Memory::new()).await;
            let alice = world.user("alice").await;
            for n in 0..count {
                world.send(&alice, &n.to_string(), &alice.0, "ONE", n).await;
            }
            let (mut seen, mut since) = (Vec::new(), None);
            for lost in lost.iter().copied().chain([false; 4]) {
                if let Some(since) = &since {
                    world.mailbox.acknowledge(&alice.0, &alice.1, since).await.unwrap();
                }
                let (mail, upto) = world.mail(&alice, since.as_ref()).await;
                assert!(mail.len() <= 100);
                if !lost {
                    seen.extend(mail);
                    since = Some(upto);
                }
            }
            let numbers: Vec<_> = seen.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()["content"]["n"].clone()).collect();
            assert_eq!(numbers, (0..count).map(Value::from).collect::<Vec<_>>());
            assert!(world.mail(&alice, None).await.0.is_empty());
        });
    }
}
