//! Cross-signing keys and signatures.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD};
use kv::Read;
use ruma::{
    CanonicalJsonValue,
    signatures::{Ed25519KeyPair, KeyPair as _},
};

use super::*;
use crate::{CrossSigningUpload, Failure, RemoteKeys};

fn parse(key: &serde_json::value::RawValue) -> CanonicalJsonObject {
    serde_json::from_str(key.get()).unwrap()
}

/// A key pair named by its public key.
struct Pair(Ed25519KeyPair, String);

impl Pair {
    fn new() -> Self {
        let der = Ed25519KeyPair::generate();
        let public = |pair: &Ed25519KeyPair| STANDARD_NO_PAD.encode(pair.public_key());
        let name = public(&Ed25519KeyPair::from_der(&der, "x".into()).unwrap());
        Self(Ed25519KeyPair::from_der(&der, name.clone()).unwrap(), name)
    }

    fn key(&self, user: &OwnedUserId, usage: &str) -> CanonicalJsonObject {
        let keys = BTreeMap::from([(format!("ed25519:{}", self.1), &self.1)]);
        object(json!({ "user_id": user, "usage": [usage], "keys": keys }))
    }

    fn sign(&self, user: &OwnedUserId, key: &CanonicalJsonObject) -> CanonicalJsonObject {
        // By hand, since ruma takes only names of letters and digits.
        let mut key = key.clone();
        let signature = self.0.sign(crate::json::signed_part(&key).as_bytes()).base64();
        crate::json::add_signature(&mut key, user.as_str(), &format!("ed25519:{}", self.1), &signature);
        key
    }
}

#[tokio::test]
async fn cross_signing_keys_are_signed_by_their_master_and_replaced_only_after_authentication() {
    let world = World::new().await;
    let (alice, _) = world.user("alice").await;
    let (bob, _) = world.user("bob").await;
    let [master, own, others, wrong] = [(); 4].map(|()| Pair::new());
    let unsigned =
        CrossSigningUpload { self_signing: Some(own.key(&alice, "self_signing")), ..CrossSigningUpload::default() };
    assert!(matches!(world.keys.upload_cross_signing(&alice, &unsigned, false).await, Err(E2eeError::NoMasterKey)));
    let upload = CrossSigningUpload {
        master: Some(master.key(&alice, "master")),
        self_signing: Some(master.sign(&alice, &own.key(&alice, "self_signing"))),
        user_signing: Some(master.sign(&alice, &others.key(&alice, "user_signing"))),
    };
    let by_other = CrossSigningUpload {
        self_signing: Some(wrong.sign(&alice, &own.key(&alice, "self_signing"))),
        ..upload.clone()
    };
    let refused = world.keys.upload_cross_signing(&alice, &by_other, false).await;
    assert!(matches!(refused, Err(E2eeError::InvalidSignature(_))));
    world.keys.upload_cross_signing(&alice, &upload, false).await.unwrap();
    world.keys.upload_cross_signing(&alice, &upload, false).await.unwrap();
    let other = CrossSigningUpload { master: Some(wrong.key(&alice, "master")), ..CrossSigningUpload::default() };
    let refused = world.keys.upload_cross_signing(&alice, &other, false).await;
    assert!(matches!(refused, Err(E2eeError::NotConfirmed)));
    let seen = world.keys.query(Some(&bob), &alice, &[]).await.unwrap();
    assert_eq!(seen.master.map(|key| parse(&key)), upload.master);
    assert!(seen.user_signing.is_none());
    assert!(world.keys.query(Some(&alice), &alice, &[]).await.unwrap().user_signing.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_first_uploads_at_the_same_time_one_has_to_be_confirmed() {
    for _ in 0..20 {
        let world = World::on(Memory::new()).await;
        let (alice, _) = world.user("alice").await;
        let uploads = [(); 2].map(|()| CrossSigningUpload {
            master: Some(Pair::new().key(&alice, "master")),
            ..CrossSigningUpload::default()
        });
        let [one, two] = uploads.map(|upload| {
            let (keys, alice) = (world.keys.clone(), alice.clone());
            tokio::spawn(async move { keys.upload_cross_signing(&alice, &upload, false).await })
        });
        let done = [one.await.unwrap(), two.await.unwrap()];
        assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1, "{done:?}");
        assert_eq!(done.iter().filter(|one| matches!(one, Err(E2eeError::NotConfirmed))).count(), 1, "{done:?}");
    }
}

#[tokio::test]
async fn an_account_that_ends_leaves_no_keys_and_no_backup() {
    let world = World::new().await;
    let (alice, device) = world.user("alice").await;
    let (bob, _) = world.user("bob").await;
    let master = Pair::new();
    let upload = CrossSigningUpload { master: Some(master.key(&alice, "master")), ..CrossSigningUpload::default() };
    world.keys.upload_cross_signing(&alice, &upload, false).await.unwrap();
    world.upload(&(alice.clone(), device), &one_time(0..3, "k")).await.unwrap();
    let version = world.backups.create(&alice, "a", "{}").await.unwrap();
    let session = BackedUp { first_message_index: 0, forwarded_count: 0, is_verified: true, session_data: "{}".into() };
    let sessions = BTreeMap::from([("!r".to_owned(), BTreeMap::from([("s".to_owned(), session)]))]);
    world.backups.put(&alice, &version, &sessions).await.unwrap();
    world.accounts.deactivate(&alice, false).await.unwrap();
    world.accounts.deactivate(&alice, false).await.unwrap();
    assert!(world.keys.query(Some(&bob), &alice, &[]).await.unwrap().master.is_none());
    let view = world.db.view();
    // What is left tells others that her devices changed.
    let mut left: Vec<_> = Vec::new();
    for table in crate::tables::ALL {
        let range = kv::Range::prefix(table.id.to_be_bytes().to_vec());
        let rows = view.raw_page(&range, 100, false).await.unwrap();
        let hers = rows.iter().filter(|(key, _)| key.windows(6).any(|part| part == b"@alice"));
        left.extend(hers.map(|_| table.name));
    }
    assert_eq!(left, ["e2ee.changed"]);
}

#[tokio::test]
async fn signatures_are_taken_from_the_right_key_and_shown_to_whom_they_concern() {
    let world = World::new().await;
    let (alice, device) = world.user("alice").await;
    let (bob, _) = world.user("bob").await;
    let [master, own, others, of_bob] = [(); 4].map(|()| Pair::new());
    let upload = CrossSigningUpload {
        master: Some(master.key(&alice, "master")),
        self_signing: Some(master.sign(&alice, &own.key(&alice, "self_signing"))),
        user_signing: Some(master.sign(&alice, &others.key(&alice, "user_signing"))),
    };
    world.keys.upload_cross_signing(&alice, &upload, false).await.unwrap();
    let bobs = CrossSigningUpload { master: Some(of_bob.key(&bob, "master")), ..CrossSigningUpload::default() };
    world.keys.upload_cross_signing(&bob, &bobs, false).await.unwrap();
    let keys = object(json!({
        "user_id": alice, "device_id": device, "keys": {}, "algorithms": [], "signatures": {},
    }));
    let device_keys = DeviceUpload { device_keys: Some(keys.clone()), ..DeviceUpload::default() };
    world.upload(&(alice.clone(), device), &device_keys).await.unwrap();
    let add = async |user: &OwnedUserId, target: &str, signed: CanonicalJsonObject| {
        world.keys.add_signatures(&alice, user, target, &signed).await.unwrap()
    };
    assert_eq!(add(&alice, "ONE", own.sign(&alice, &keys)).await, Ok(()));
    assert_eq!(add(&alice, "ONE", others.sign(&alice, &keys)).await, Err(Failure::BadSignature));
    assert_eq!(add(&alice, "TWO", own.sign(&alice, &keys)).await, Err(Failure::UnknownKey));
    let changed = object(json!({ "user_id": alice, "device_id": "ONE", "keys": { "a": "b" } }));
    assert_eq!(add(&alice, "ONE", own.sign(&alice, &changed)).await, Err(Failure::OtherKey));
    let of_bob_signed = others.sign(&alice, &of_bob.key(&bob, "master"));
    assert_eq!(add(&bob, &of_bob.1, of_bob_signed.clone()).await, Ok(()));
    let told = world.db.view().positions().clone();
    assert_eq!(add(&bob, &of_bob.1, of_bob_signed.clone()).await, Ok(()));
    assert_eq!(*world.db.view().positions(), told, "the same again is no news");
    // Many others have signed it.
    let mut tx = world.db.begin();
    for n in 0..200 {
        let signer = OwnedUserId::try_from(format!("@{}{n}:other.test", if n % 2 == 0 { "a" } else { "z" })).unwrap();
        tx.put(&crate::tables::SIGNATURES, (&bob, of_bob.1.as_str(), &signer, "ed25519:x"), &"x".to_owned());
    }
    tx.commit().await.unwrap();
    let master_of_bob = async |asker: &OwnedUserId| {
        world.keys.query(Some(asker), &bob, &[]).await.unwrap().master.map(|key| parse(&key)).unwrap()
    };
    assert_eq!(master_of_bob(&alice).await, of_bob_signed);
    assert_eq!(master_of_bob(&bob).await, of_bob.key(&bob, "master"));
    let shown = world.keys.query(Some(&bob), &alice, &[]).await.unwrap().devices;
    let shown = parse(&shown[&OwnedDeviceId::from("ONE")]);
    assert_eq!(shown["unsigned"], CanonicalJsonValue::Object(object(json!({}))));
    assert_eq!(crate::json::signatures_of(&shown, alice.as_str()).count(), 1);
}

#[tokio::test]
async fn a_verified_user_of_another_server_stays_verified_until_they_have_another_master_key() {
    let world = World::on(Memory::new()).await;
    let (alice, _) = world.user("alice").await;
    let carl = OwnedUserId::try_from("@carl:other.test").unwrap();
    let [master, others, of_carl, new] = [(); 4].map(|()| Pair::new());
    let upload = CrossSigningUpload {
        master: Some(master.key(&alice, "master")),
        user_signing: Some(master.sign(&alice, &others.key(&alice, "user_signing"))),
        ..CrossSigningUpload::default()
    };
    world.keys.upload_cross_signing(&alice, &upload, false).await.unwrap();
    let put = async |pair: &Pair| {
        let keys = RemoteKeys { master: Some(crate::json::text(&pair.key(&carl, "master"))), ..RemoteKeys::default() };
        let mut tx = world.db.begin();
        Keys::replace_remote(&mut tx, &carl, &keys).await.unwrap();
        tx.commit().await.unwrap();
    };
    let signed = async || {
        let seen = world.keys.query(Some(&alice), &carl, &[]).await.unwrap().master;
        seen.is_some_and(|key| crate::json::signatures_of(&parse(&key), alice.as_str()).count() == 1)
    };
    put(&of_carl).await;
    let verified = others.sign(&alice, &of_carl.key(&carl, "master"));
    assert_eq!(world.keys.add_signatures(&alice, &carl, &of_carl.1, &verified).await.unwrap(), Ok(()));
    assert!(signed().await);
    let mut tx = world.db.begin();
    Keys::forget_remote(&mut tx, &carl);
    tx.commit().await.unwrap();
    assert!(!signed().await, "nothing is known of them");
    put(&of_carl).await;
    assert!(signed().await, "the same key came again");
    put(&new).await;
    assert!(!signed().await);
    put(&of_carl).await;
    assert!(!signed().await, "what was replaced does not come back");
}
