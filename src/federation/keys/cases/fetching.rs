use std::time::Duration;

use tokio::time::Instant;

use super::rig::{Behaves, DAY, HOUR, NOW, Rig, document, key_id, name, signer, text};
use crate::keys::{MAX_KEYS, Question, WAIT};

#[tokio::test(start_paused = true)]
async fn who_asks_at_the_same_time_shares_one_question() {
    let rig = Rig::new();
    let key = signer("a.test", "k", 1);
    rig.world.publishes(&document(&key, &[], NOW + DAY));
    let answers = futures::future::join_all((0..10).map(|_| rig.valid_now("a.test", "k"))).await;
    assert_eq!(answers, vec![Some(key.public_key()); 10]);
    assert_eq!(rig.world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_a_restart() {
    let rig = Rig::new();
    let key = signer("a.test", "k", 1);
    rig.world.publishes(&document(&key, &[], NOW + DAY));
    rig.valid_now("a.test", "k").await;
    let rig = rig.restarted();
    rig.world.is("a.test", Behaves::Refuses);
    assert_eq!(rig.valid_now("a.test", "k").await, Some(key.public_key()));
    assert_eq!(rig.world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_is_asked_rarely_and_then_more_rarely() {
    let rig = Rig::new();
    // Each try is a question to the server and one to the notary for its own key.
    let tries = async |within: u64| {
        let before = rig.world.log().iter().filter(|(server, _)| server == "dead.test").count();
        for _ in 0..within / 1000 {
            rig.later(1000).await;
            assert_eq!(rig.valid_now("dead.test", "k").await, None);
        }
        rig.world.log().iter().filter(|(server, _)| server == "dead.test").count() - before
    };
    assert_eq!(tries(10_000).await, 1);
    assert_eq!(tries(20_000).await, 1);
    assert!(tries(HOUR).await <= 12);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_server_that_hangs_has_an_end() {
    let rig = Rig::new();
    rig.world.is("slow.test", Behaves::Hangs);
    rig.world.is("notary.test", Behaves::Hangs);
    let start = Instant::now();
    assert_eq!(rig.valid_now("slow.test", "k").await, None);
    assert!(start.elapsed() <= WAIT + Duration::from_millis(10));
    // From now on it costs nothing.
    let start = Instant::now();
    assert_eq!(rig.valid_now("slow.test", "k").await, None);
    assert!(start.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn notaries_help_when_a_server_does_not_answer() {
    let rig = Rig::new();
    let (fast, slow) = (signer("fast.test", "k", 1), signer("slow.test", "k", 2));
    rig.world.publishes(&document(&fast, &[], NOW + DAY));
    rig.world.is("slow.test", Behaves::Hangs);
    rig.notary_has(&[&document(&slow, &[], NOW + DAY)]);
    rig.valid_now("fast.test", "k").await;
    assert_eq!(rig.world.asked(), 1);
    let start = Instant::now();
    assert_eq!(rig.valid_now("slow.test", "k").await, Some(slow.public_key()));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_is_not_waited_for() {
    let rig = Rig::new();
    let key = signer("a.test", "k", 2);
    rig.notary_has(&[&document(&key, &[], NOW + DAY)]);
    let start = Instant::now();
    assert_eq!(rig.valid_now("a.test", "k").await, Some(key.public_key()));
    assert!(start.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn notaries_are_believed_only_with_their_signature_and_what_they_were_asked() {
    let rig = Rig::new();
    let (a, b) =
        (document(&signer("a.test", "k", 1), &[], NOW + DAY), document(&signer("b.test", "k", 2), &[], NOW + DAY));
    let notary = document(&signer("notary.test", "n", 50), &[], NOW + DAY);
    // Not signed by the notary.
    rig.world.is("notary.test", Behaves::Answers(vec![text(&notary), text(&a)]));
    assert_eq!(rig.valid_now("a.test", "k").await, None);
    // Signed, but about another server.
    rig.notary_has(&[&a, &b]);
    assert!(rig.valid_now("c.test", "k").await.is_none());
    let rig = rig.restarted();
    rig.world.is("notary.test", Behaves::Refuses);
    assert_eq!(rig.valid_now("b.test", "k").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_document_of_another_server_is_not_taken() {
    let rig = Rig::new();
    rig.world.is("a.test", Behaves::Answers(vec![text(&document(&signer("b.test", "k", 1), &[], NOW + DAY))]));
    assert_eq!(rig.valid_now("a.test", "k").await, None);
    assert_eq!(rig.valid_now("b.test", "k").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_over_is_fetched_anew() {
    let rig = Rig::new();
    let key = signer("a.test", "k", 1);
    rig.world.publishes(&document(&key, &[], NOW + HOUR));
    assert!(rig.valid_now("a.test", "k").await.is_some());
    rig.later(2 * HOUR).await;
    rig.world.publishes(&document(&key, &[], NOW + 3 * HOUR));
    assert!(rig.valid_now("a.test", "k").await.is_some());
    rig.later(2 * HOUR).await;
    rig.world.is("a.test", Behaves::Refuses);
    assert!(rig.valid_now("a.test", "k").await.is_none());
    assert_eq!(rig.world.log().iter().filter(|(server, _)| server == "a.test").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_ended_key_serves_events_but_no_requests() {
    let rig = Rig::new();
    let (key, old) = (signer("a.test", "k", 1), signer("a.test", "o", 2));
    rig.world.publishes(&document(&key, &[(&old, NOW - HOUR)], NOW + DAY));
    assert_eq!(rig.valid_now("a.test", "o").await, None);
    let needed = [(name("a.test"), key_id("o"), NOW - DAY), (name("a.test"), key_id("k"), NOW)];
    let map = rig.keys.for_events(&needed).await.unwrap();
    assert_eq!(map["a.test"][&key_id("o")].expired_ts, Some(NOW - HOUR));
    assert_eq!(map["a.test"][&key_id("k")].valid_until_ts, NOW + DAY);
    assert_eq!(rig.world.log().iter().filter(|(server, _)| server == "a.test").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_of_many_servers_are_fetched_together() {
    let rig = Rig::new();
    let signers: Vec<_> = (0..150).map(|n| signer(&format!("s{n}.test"), "k", 7)).collect();
    let documents: Vec<_> = signers.iter().map(|signer| document(signer, &[], NOW + DAY)).collect();
    for signer in &signers {
        rig.world.is(signer.server_name().as_str(), Behaves::Hangs);
    }
    rig.notary_has(&documents.iter().collect::<Vec<_>>());
    let needed: Vec<_> = signers.iter().map(|signer| (signer.server_name().clone(), key_id("k"), NOW)).collect();
    let map = rig.keys.for_events(&needed).await.unwrap();
    assert!(map.values().all(|keys| keys.len() == 1) && map.len() == 150);
    let questions = rig.world.log().into_iter().filter(|(_, question)| matches!(question, Question::Others(_)));
    assert_eq!(questions.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn events_from_the_future_need_only_a_key_that_is_valid_now() {
    let rig = Rig::new();
    rig.world.publishes(&document(&signer("a.test", "k", 1), &[], NOW + HOUR));
    for _ in 0..3 {
        rig.keys.for_events(&[(name("a.test"), key_id("k"), NOW + 100 * DAY)]).await.unwrap();
        rig.later(5 * 60_000).await;
    }
    assert_eq!(rig.world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_began_anew_is_believed_when_its_signatures_do_not_fit() {
    let rig = Rig::new();
    let (before, after) = (signer("a.test", "k", 1), signer("a.test", "k", 2));
    rig.world.publishes(&document(&before, &[], NOW + DAY));
    let known = rig.valid_now("a.test", "k").await.unwrap();
    rig.world.publishes(&document(&after, &[], NOW + DAY));
    let changed = async || rig.keys.changed(&name("a.test"), &key_id("k"), &known).await.unwrap();
    // It was asked just now.
    assert_eq!(changed().await, None);
    rig.later(2 * 60_000).await;
    assert_eq!(changed().await, Some(after.public_key()));
    assert_eq!(rig.world.asked(), 2);
    assert_eq!(rig.valid_now("a.test", "k").await, Some(after.public_key()));
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_is_kept_although_who_asked_has_gone() {
    let rig = Rig::new();
    rig.world.publishes(&document(&signer("a.test", "k", 1), &[], NOW + DAY));
    {
        let mut asking = Box::pin(rig.valid_now("a.test", "k"));
        for _ in 0..10 {
            // Far enough to begin.
            if rig.world.asked() > 0 || futures::poll!(&mut asking).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    rig.world.is("a.test", Behaves::Refuses);
    assert!(rig.valid_now("a.test", "k").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn our_own_keys_need_no_network() {
    let rig = Rig::new();
    assert_eq!(rig.valid_now("us.test", "ours").await, Some(signer("us.test", "ours", 99).public_key()));
    assert_eq!(rig.valid_now("us.test", "before").await, None);
    assert_eq!(rig.valid_now("us.test", "nothing").await, None);
    let needed = [(name("us.test"), key_id("before"), NOW - 2 * DAY)];
    let map = rig.keys.for_events(&needed).await.unwrap();
    assert_eq!(map["us.test"][&key_id("before")].expired_ts, Some(NOW - DAY));
    assert_eq!(rig.world.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_has_a_bounded_number_of_keys() {
    let rig = Rig::new();
    for n in 0..MAX_KEYS as u8 + 6 {
        let key = document(&signer("a.test", &format!("k{n}"), n), &[], rig.clock.now() + DAY);
        rig.keys.learn(text(&key).as_bytes()).await.unwrap();
        rig.later(DAY).await;
    }
    let rows = rig.keys.rows(&name("a.test")).await.unwrap();
    assert_eq!(rows.len(), MAX_KEYS);
    // The newest are kept.
    assert!(rows.contains_key(&key_id("k69")) && !rows.contains_key(&key_id("k0")));
    let documents: std::collections::BTreeSet<_> = rows.values().map(|row| row.document).collect();
    assert_eq!(rig.keys.0.documents(&name("a.test"), documents).await.unwrap().len(), MAX_KEYS);
}
