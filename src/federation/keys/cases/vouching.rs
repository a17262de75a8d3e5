use std::collections::BTreeMap;

use ruma::CanonicalJsonObject;

use super::rig::{Behaves, DAY, HOUR, NOW, Rig, document, key_id, name, signer, text};
use crate::keys::{Document, MAX_QUERIED, Wanted};

fn wanted(server: &str, keys: &[(&str, u64)]) -> Wanted {
    let keys = keys.iter().map(|(version, until)| (key_id(version), *until)).collect();
    Wanted::from([(name(server), keys)])
}

/// Whether both the server and we have signed it.
fn is_vouched_for(rig: &Rig, answer: &CanonicalJsonObject) -> bool {
    let document = Document::read(text(answer).as_bytes()).unwrap();
    let ours = BTreeMap::from([(key_id("ours"), rig.keys.own().signer().public_key())]);
    document.is_signed_by(&name("us.test"), &ours)
}

#[tokio::test(start_paused = true)]
async fn documents_are_given_on_with_our_signature() {
    let rig = Rig::new();
    rig.world.publishes(&document(&signer("a.test", "k", 1), &[], NOW + DAY));
    let answers = rig.keys.notarised(wanted("a.test", &[("k", NOW)])).await.unwrap();
    assert!(answers.len() == 1 && is_vouched_for(&rig, &answers[0]));
    let again = rig.keys.notarised(wanted("a.test", &[])).await.unwrap();
    assert_eq!((again, rig.world.asked()), (answers, 1));
}

#[tokio::test(start_paused = true)]
async fn old_keys_are_not_forgotten() {
    let rig = Rig::new();
    let (first, second) = (signer("a.test", "k", 1), signer("a.test", "l", 2));
    rig.world.publishes(&document(&first, &[], NOW + HOUR));
    rig.valid_now("a.test", "k").await;
    rig.later(2 * HOUR).await;
    // The first key is not even listed as an old one.
    rig.world.publishes(&document(&second, &[], NOW + DAY));
    rig.valid_now("a.test", "l").await;
    rig.world.is("a.test", Behaves::Refuses);
    let rig = rig.restarted();
    let answers = rig.keys.notarised(wanted("a.test", &[("k", 0), ("l", 0)])).await.unwrap();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| is_vouched_for(&rig, answer)));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_has_to_be_valid_for_longer_is_fetched_anew_but_not_all_the_time() {
    let rig = Rig::new();
    let key = signer("a.test", "k", 1);
    rig.world.publishes(&document(&key, &[], NOW + HOUR));
    rig.valid_now("a.test", "k").await;
    rig.later(2 * 60_000).await;
    rig.world.publishes(&document(&key, &[], NOW + 2 * HOUR));
    let answers = rig.keys.notarised_of(name("a.test"), NOW + 90 * 60_000).await.unwrap();
    let document = Document::read(text(&answers[0]).as_bytes()).unwrap();
    assert_eq!((document.valid_until, rig.world.asked()), (NOW + 2 * HOUR, 2));
    // More than the server gives: what there is is answered, and the server left alone.
    let asked = rig.world.log().iter().filter(|(server, _)| server == "a.test").count();
    for _ in 0..20 {
        assert_eq!(rig.keys.notarised_of(name("a.test"), NOW + 5 * DAY).await.unwrap().len(), 1);
    }
    assert_eq!(rig.world.log().iter().filter(|(server, _)| server == "a.test").count(), asked);
}

#[tokio::test(start_paused = true)]
async fn servers_that_nobody_knows_are_left_out() {
    let rig = Rig::new();
    assert!(rig.keys.notarised(wanted("dead.test", &[])).await.unwrap().is_empty());
    assert!(rig.keys.notarised(Wanted::new()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn our_own_document_is_among_the_answers() {
    let rig = Rig::new();
    let answers = rig.keys.notarised(wanted("us.test", &[("ours", NOW + 300 * DAY)])).await.unwrap();
    assert_eq!(answers, [rig.keys.own_document()]);
    assert_eq!(rig.world.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_question_is_about_a_bounded_number_of_servers() {
    let rig = Rig::new();
    let many: Wanted = (0..MAX_QUERIED * 3).map(|n| (name(&format!("s{n}.test")), BTreeMap::new())).collect();
    rig.keys.notarised(many).await.unwrap();
    // One question each, and some to the notary.
    assert!(rig.world.asked() <= MAX_QUERIED + 2);
}
