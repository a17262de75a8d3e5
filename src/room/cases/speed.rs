//! Figures, not tests: `CARGO_PROFILE_TEST_OPT_LEVEL=3 cargo test -p room --lib speed -- --ignored --nocapture`.

use std::{collections::HashSet, time::Instant};

use event::ClientFormat;
use serde_json::json;

use super::rig::{Rig, user};
use crate::{Direction, EventFilter, HistoryQuery, Viewer};

async fn measure(name: &str, mut work: impl AsyncFnMut()) {
    const ROUNDS: u32 = 300;
    for _ in 0..ROUNDS / 10 {
        work().await;
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work().await;
    }
    println!("{name:<24} {:>8.1} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

#[tokio::test]
#[ignore = "figures, not a test"]
async fn speed() {
    let rig = Rig::new().await;
    for n in 0..250 {
        rig.join(&format!("user{n}")).await;
    }
    let mut root = rig.say("alice", "root").await;
    for n in 0..200 {
        let relates_to = json!({ "rel_type": "m.thread", "event_id": root });
        let content = json!({ "msgtype": "m.text", "body": "hello, how are you today?" });
        let mut threaded = content.clone();
        threaded["m.relates_to"] = relates_to;
        match n % 10 {
            0 => root = rig.send("alice", "m.room.message", &content).await,
            1 => drop(rig.send("user1", "m.room.message", &threaded).await),
            _ => drop(rig.send("user2", "m.room.message", &content).await),
        }
    }
    let (rooms, user) = (&rig.rooms, user("user3"));
    let viewer = Viewer { user: &user, device: None, now: 0, ignored: &HashSet::new() };
    let view = rooms.db().view();
    let access = rooms.access(&view, &user, &rig.id).await.unwrap();
    let filter = EventFilter::default();
    let query = HistoryQuery { from: None, to: None, direction: Direction::Backward, limit: 100, filter: &filter };
    measure("access", async || assert!(!rooms.access(&view, &user, &rig.id).await.unwrap().past)).await;
    measure("timeline of 100", async || {
        drop(rooms.timeline(&view, rig.num, crate::Place::MAX, Direction::Backward, 100).await.unwrap());
    })
    .await;
    measure("page of 100", async || drop(rooms.history(&view, &access, &viewer, &query).await.unwrap())).await;
    let page = rooms.history(&view, &access, &viewer, &query).await.unwrap();
    for bundle in [false, true] {
        measure(if bundle { "present with bundles" } else { "present" }, async || {
            drop(rooms.present(&view, rig.num, &viewer, &page.rows, ClientFormat::Full, bundle).await.unwrap());
        })
        .await;
    }
    let joined = Some(crate::Membership::Join);
    measure("member rows", async || drop(rooms.member_rows(&view, &access, None, None, None).await.unwrap())).await;
    measure("joined member rows", async || {
        drop(rooms.member_rows(&view, &access, None, joined, None).await.unwrap());
    })
    .await;
    let rows = rooms.member_rows(&view, &access, None, None, None).await.unwrap();
    assert_eq!(rows.len(), 251);
    measure("present members", async || {
        rooms.write_plain(&viewer, &rows, ClientFormat::Full, &mut Vec::new());
    })
    .await;
}
