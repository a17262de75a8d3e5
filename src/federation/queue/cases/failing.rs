//! Outages, crashes and refusals.

use std::time::Duration;

use base::Millis;
use ruma::server_name;

use super::rig::{Rig, server};
use crate::queue::send::again;

fn numbers(n: usize) -> Vec<String> {
    (0..n).map(|n| n.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_was_not_acknowledged_is_sent_again_with_its_id_and_content() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.remote.0.lock().silent.insert(server("a.test"));
    rig.start();
    rig.say(&room, "one").await;
    rig.settle().await;
    rig.crash().await;
    rig.say(&room, "two").await;
    rig.remote.0.lock().silent.clear();
    rig.clock.advance(5000);
    rig.start();
    rig.settle().await;

    let got = rig.remote.0.lock().got.clone();
    assert_eq!(got.len(), 3);
    assert_eq!(got[0], got[1]);
    assert_eq!(got[2].2["pdus"].as_array().unwrap().len(), 1);
    assert_eq!(rig.heard_by("a.test").last().unwrap(), "two");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_events_of_an_outage_arrive_in_order_across_a_restart() {
    let mut rig = Rig::new();
    let rooms = [rig.room(&["a.test"]).await, rig.room(&["a.test"]).await, rig.room(&["a.test"]).await];
    rig.start();
    rig.settle().await;
    let before = rig.heard_by("a.test").len();
    rig.remote.0.lock().down.insert(server("a.test"));
    for n in 0..1000 {
        rig.say(&rooms[n % 3], &n.to_string()).await;
        if n == 500 {
            rig.settle().await;
            rig.crash().await;
            rig.start();
        }
    }
    rig.settle().await;
    rig.crash().await;
    rig.remote.0.lock().down.clear();
    rig.start();
    rig.pass(60_000).await;
    assert_eq!(rig.heard_by("a.test")[before..], numbers(1000));
    assert_eq!(rig.rows().await["federation.failing"], 0);
}

#[tokio::test(start_paused = true)]
async fn events_during_catching_up_come_after_it() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.remote.0.lock().down.insert(server("a.test"));
    rig.start();
    for n in 0..300 {
        rig.say(&room, &n.to_string()).await;
    }
    rig.settle().await;
    rig.remote.0.lock().down.clear();
    rig.clock.advance(60_000);
    rig.heard.send(server("a.test")).unwrap();
    for n in 300..700 {
        rig.say(&room, &n.to_string()).await;
        tokio::task::yield_now().await;
    }
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test")[1..], numbers(700));
}

#[tokio::test(start_paused = true)]
async fn an_event_costs_one_row_however_many_destinations_are_dead() {
    let mut rig = Rig::new();
    let names: Vec<_> = (0..50).map(|n| format!("dead{n}.test")).collect();
    let room = rig.room(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    rig.remote.0.lock().down = names.iter().map(|name| server(name)).collect();
    rig.start();
    rig.settle().await;
    let (before, tried) = (rig.rows().await, rig.remote.0.lock().tried);
    for n in 0..100 {
        rig.say(&room, &n.to_string()).await;
    }
    rig.settle().await;
    let mut expected = before.clone();
    expected.insert("federation.outgoing", before["federation.outgoing"] + 100);
    assert_eq!(rig.rows().await, expected);
    assert_eq!(rig.remote.0.lock().tried, tried, "it is not time yet");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_talks_to_us_is_tried_at_once() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.remote.0.lock().down.insert(server("a.test"));
    rig.start();
    rig.say(&room, "hello").await;
    for _ in 0..8 {
        rig.pass(60_000).await;
    }
    rig.remote.0.lock().down.clear();
    rig.pass(6000).await;
    assert!(rig.heard_by("a.test").is_empty());
    rig.heard.send(server("a.test")).unwrap();
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "hello"]);
}

#[tokio::test(start_paused = true)]
async fn an_administrator_sees_who_fails_and_has_it_tried_again() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test", "b.test"]).await;
    rig.remote.0.lock().down.insert(server("a.test"));
    rig.start();
    rig.say(&room, "hello").await;
    rig.settle().await;
    let (all, total) = rig.queue.status(&rig.rooms, None, 0, 10).await.unwrap();
    assert_eq!(total, 2);
    assert_eq!(all.iter().map(|status| status.waiting).collect::<Vec<_>>(), [true, false]);
    assert!(all[0].failing_since.is_some() && all[0].pause > 0 && all[1].failing_since.is_none());
    assert_eq!((all[0].acknowledged, all[1].acknowledged), (0, 3));

    rig.remote.0.lock().down.clear();
    assert!(rig.queue.retry(server_name!("a.test")).await.unwrap());
    rig.settle().await;
    let status = rig.queue.destination(&rig.rooms, server_name!("a.test")).await.unwrap();
    assert!(status.failing_since.is_none() && !status.waiting && status.acknowledged == 3);
    assert!(!rig.queue.retry(server_name!("a.test")).await.unwrap());
    assert!(rig.queue.destination(&rig.rooms, server_name!("c.test")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn only_the_event_that_a_destination_refuses_is_given_up() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.remote.0.lock().poison = Some("poison".into());
    for text in ["one", "two", "poison", "three", "four"] {
        rig.say(&room, text).await;
    }
    rig.start();
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "one", "two", "three", "four"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_given_up_while_a_destination_refuses_everything() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.remote.0.lock().poison = Some("pdus".into());
    for n in 0..5 {
        rig.say(&room, &n.to_string()).await;
    }
    rig.start();
    rig.pass(3000).await;
    rig.remote.0.lock().poison = None;
    rig.pass(60_000).await;
    assert_eq!(rig.heard_by("a.test")[1..], numbers(5));
}

#[test]
fn pauses_grow_from_a_second_to_an_hour() {
    let (mut failing, now): (_, Millis) = (None, 1_000_000);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let next = again(failing, now, None, 500);
        pauses.push((next.again - now) / 1000);
        failing = Some(next);
    }
    assert_eq!(pauses, [1, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
    for jitter in [0, 999] {
        let pause = again(failing, now, None, jitter).again - now;
        assert!((2_880_000..=4_320_000).contains(&pause));
    }
    assert_eq!(again(None, now, Some(Duration::from_secs(90)), 500).again, now + 90_000);
}
