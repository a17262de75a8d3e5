//! Very many servers that are down.

use std::time::Instant;

use super::rig::{Rig, server};
use crate::queue::destination::Backlog;

const MANY: usize = 10_000;

#[tokio::test(start_paused = true)]
async fn ten_thousand_dead_servers_cost_nothing_for_an_event_and_stay_left_alone_after_a_crash() {
    let mut rig = Rig::new();
    let room = rig.room(&["alive.test"]).await;
    rig.enter_many(&room, MANY).await;
    rig.start();
    rig.pass(1000).await;
    let tried = rig.remote.0.lock().tried;
    assert!(tried > MANY, "each was tried");
    let before = rig.rows().await;
    assert_eq!(before["federation.failing"], MANY);

    for n in 0..100 {
        rig.say(&room, &n.to_string()).await;
    }
    rig.settle().await;
    let rows = rig.rows().await;
    assert_eq!(rows["federation.outgoing"], before["federation.outgoing"] + 100);
    let count = |rows: &std::collections::BTreeMap<&str, usize>| rows.values().sum::<usize>();
    assert_eq!(count(&rows), count(&before) + 100, "one row for each event, none for a dead server");
    let attempts = |rig: &Rig| {
        let remote = rig.remote.0.lock();
        remote.tried - remote.got.len()
    };
    let failed = attempts(&rig);
    assert_eq!(memory(&rig), 0, "nothing waits in memory for a dead server");

    rig.crash().await;
    let begun = Instant::now();
    rig.queue.restore().await.unwrap();
    println!("{MANY} dead servers: the queue was read in {:?}", begun.elapsed());
    rig.crash().await;
    rig.start();
    rig.say(&room, "after").await;
    rig.settle().await;
    assert_eq!(rig.heard_by("alive.test").last().unwrap(), "after");
    assert_eq!(attempts(&rig), failed, "their pauses were not forgotten");
    assert_eq!(memory(&rig), 0);
}

/// Events and messages that wait in memory for servers that fail.
fn memory(rig: &Rig) -> usize {
    let mut all = 0;
    for destination in rig.queue.destinations.all() {
        let state = destination.state.lock();
        if state.failing.is_some() {
            assert!(matches!(state.backlog, Backlog::Stored));
            all += state.queued() + state.latest.len();
        }
    }
    all
}

/// A room with so many servers that are down, each tried once, and `alive.test`.
async fn crowd(many: usize) -> (Rig, ruma::OwnedRoomId) {
    let mut rig = Rig::new();
    let room = rig.room(&["alive.test"]).await;
    rig.enter_many(&room, many).await;
    rig.start();
    rig.settle().await;
    assert_eq!(failures(&rig), many);
    (rig, room)
}

/// Attempts that came to nothing.
fn failures(rig: &Rig) -> usize {
    let remote = rig.remote.0.lock();
    remote.tried - remote.got.len()
}

#[tokio::test(start_paused = true)]
async fn many_dead_servers_are_tried_again_at_a_bounded_rate() {
    const MANY: usize = 2000;
    let (mut rig, _) = crowd(MANY).await;
    for second in 1..=60 {
        rig.pass(1000).await;
        let again = failures(&rig) - MANY;
        // Each process begins with a hundred.
        assert!(again <= 200 + 10 * second, "{again} attempts in {second} s");
        if second == 30 {
            rig.crash().await;
            rig.start();
        }
    }
    assert!(failures(&rig) - MANY >= 500, "they are tried");
}

#[tokio::test(start_paused = true)]
async fn servers_that_stay_dead_are_tried_about_once_in_an_hour() {
    const MANY: usize = 40;
    let (rig, _) = crowd(MANY).await;
    for _ in 0..60 {
        rig.pass(5 * 60_000).await;
    }
    let before = failures(&rig);
    for _ in 0..24 {
        rig.pass(5 * 60_000).await;
    }
    let attempts = failures(&rig) - before;
    assert!((MANY..=3 * MANY).contains(&attempts), "{attempts} attempts in two hours");
}

#[tokio::test(start_paused = true)]
async fn who_worked_or_talks_to_us_does_not_wait_for_those_that_are_dead() {
    let (rig, room) = crowd(2000).await;
    // It was sent to before, and is down for a moment.
    rig.remote.0.lock().down.insert(server("alive.test"));
    rig.say(&room, "one").await;
    rig.settle().await;
    rig.remote.0.lock().down.remove(&server("alive.test"));
    rig.pass(2000).await;
    assert_eq!(rig.heard_by("alive.test").last().unwrap(), "one");

    // All others are due, and most of them have not had their turn yet.
    rig.pass(5000).await;
    let all = rig.queue.destinations.all();
    let is_tried_once = |name: &str| {
        let destination = all.iter().find(|destination| destination.name == name).unwrap();
        destination.state.lock().failing.is_some_and(|failing| failing.times == 1)
    };
    let names = (0..2000).map(|n| format!("dead{n}.test"));
    let waiting: Vec<_> = names.filter(|name| is_tried_once(name)).collect();
    assert!(waiting.len() > 1500);
    let back = waiting.last().unwrap();
    rig.remote.0.lock().down.remove(&server(back));
    rig.heard.send(server(back)).unwrap();
    rig.settle().await;
    assert_eq!(rig.heard_by(back).last().unwrap(), "one");
}

#[tokio::test(start_paused = true)]
async fn when_the_network_is_back_nobody_waits() {
    const MANY: usize = 2000;
    let (rig, room) = crowd(MANY).await;
    rig.say(&room, "hello").await;
    rig.remote.0.lock().down.clear();
    rig.pass(2000).await;
    let got: std::collections::HashSet<_> = rig.remote.0.lock().got.iter().map(|(to, ..)| to.clone()).collect();
    assert_eq!(got.len(), MANY + 1);
}
