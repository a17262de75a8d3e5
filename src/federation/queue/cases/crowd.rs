//! Ten thousand servers that are down.

use std::time::Instant;

use super::rig::Rig;
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
