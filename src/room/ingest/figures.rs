//! Figures, not tests: `CARGO_PROFILE_TEST_OPT_LEVEL=3 cargo test -p room --lib figures -- --ignored --nocapture`.

use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use bytes::Bytes;
use event::Draft;
use futures::future::BoxFuture;
use kv::{Range, Read, View};
use ruma::{EventId, RoomVersionId};
use serde_json::json;

use super::cases::{Play, Step};
use crate::{
    EventNum, Outgoing,
    cases::rig::{raw, user},
    chain::Sides,
    state::Root,
    tables::{AUTH, AUTH_LATE, AUTH_READY},
};

const MEMBERS: u32 = 5_000;
const OTHERS: u32 = 5_000;

/// Counts rows.
struct Counting<'a>(&'a View, AtomicUsize);

impl Counting<'_> {
    fn took(&self) -> usize {
        self.1.swap(0, Ordering::Relaxed)
    }
}

impl Read for Counting<'_> {
    fn is_pristine(&self) -> bool {
        false
    }

    fn raw_get(&self, key: Vec<u8>, decides: bool) -> BoxFuture<'_, kv::Result<Option<Bytes>>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.raw_get(key, decides)
    }

    fn raw_multi_get(&self, keys: Vec<Vec<u8>>) -> BoxFuture<'_, kv::Result<Vec<Option<Bytes>>>> {
        self.1.fetch_add(keys.len(), Ordering::Relaxed);
        self.0.raw_multi_get(keys)
    }

    fn raw_page<'a>(
        &'a self,
        range: &'a Range,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, kv::Result<Vec<(Bytes, Bytes)>>> {
        Box::pin(async move {
            let rows = self.0.raw_page(range, limit, reverse).await?;
            self.1.fetch_add(rows.len(), Ordering::Relaxed);
            Ok(rows)
        })
    }
}

async fn fill(play: &mut Play) {
    let (rooms, room) = (play.rig.rooms.clone(), play.rig.num);
    for start in (0..MEMBERS + OTHERS).step_by(500) {
        let mut tx = rooms.db().begin();
        let mut tip = rooms.tip(&tx, room).await.unwrap();
        for n in start..start + 500 {
            let (sender, draft) = if n < MEMBERS {
                let member = user(&format!("m{n}"));
                let draft =
                    Draft::state("m.room.member".into(), member.as_str(), raw(&json!({ "membership": "join" })));
                (member, draft)
            } else {
                (user("alice"), Draft::state("org.example.part".into(), n.to_string(), raw(&json!({ "n": n }))))
            };
            rooms.compose(&mut tx, room, &mut tip, &Outgoing::new(&sender, draft), rooms.moment()).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let last = play.rig.say("alice", "here").await;
    play.order.push((last.clone(), play.rig.row(&last).await.0));
}

async fn time<T>(name: &str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let result = work.await;
    println!("{name:<46} {:>9.2} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

async fn measure(play: &Play, at: &EventId, roots: &[Root]) {
    let (rooms, room) = (&play.rig.rooms, play.rig.num);
    let view = rooms.db().view();
    let counting = Counting(&view, AtomicUsize::new(0));
    let ids = time("state_ids", rooms.state_ids_before(&view, room, at)).await.unwrap();
    let nums = rooms.state_nums(&view, room, roots[0], None).await.unwrap();
    time("  the chain of the state", rooms.auth_chain(&counting, room, &nums)).await.unwrap();
    println!("    {} events, {} below; rows read: {}", nums.len(), ids.auth_chain.len(), counting.took());
    let differing: BTreeSet<_> = rooms
        .trees(room)
        .differences(&view, roots[0], roots[1])
        .await
        .unwrap()
        .into_iter()
        .map(|difference| difference.key)
        .collect();
    let mut events = Vec::new();
    for root in roots {
        let mut under = Vec::new();
        for key in &differing {
            under.extend(rooms.trees(room).get(&view, *root, *key).await.unwrap().map(EventNum));
        }
        events.push(under);
    }
    let sides = Sides { base: roots[0], differing: &differing, events: &events };
    let orders = rooms.orders(&counting, room).await.unwrap();
    let found = time("  the auth difference", rooms.auth_difference(&counting, room, orders.as_ref(), sides)).await;
    println!("    {} events; rows read: {}", found.unwrap().len(), counting.took());
    for name in ["resolution", "resolution, again"] {
        let mut tx = rooms.db().begin();
        time(name, rooms.resolve(&mut tx, room, &play.rules, roots)).await.unwrap();
    }
    let whole = async {
        let tx = rooms.db().begin();
        let mut all = HashMap::new();
        for root in roots {
            play.whole(&tx, *root, &mut all).await;
        }
        all.len()
    };
    println!("    events in whole states: {}", time("  only loading the whole states and chains", whole).await);
}

#[tokio::test]
#[ignore = "figures, not a test"]
async fn figures() {
    let mut play = Play::new(&RoomVersionId::V11).await;
    time("filling the room", fill(&mut play)).await;
    // One side changes the power levels twice and removes somebody; the other one changes the topic and the name.
    let step = |who, whom, what, value, back| Step { who, whom, what, value, parents: (back, back) };
    for step in [
        step(0, 1, 8, 50, 0),
        step(0, 1, 8, 49, 0),
        step(0, 2, 5, 1, 0),
        step(0, 0, 0, 1, 3),
        step(0, 0, 11, 1, 0),
        step(2, 0, 2, 7, 0),
    ] {
        play.step(&step).await;
    }
    assert_eq!(play.order.len(), 11);
    let mut tx = play.rig.rooms.db().begin();
    let roots = [play.after(&mut tx, play.order[7].1).await, play.after(&mut tx, play.order[10].1).await];
    tx.commit().await.unwrap();
    let at = play.order[4].0.clone();
    println!("with the index");
    measure(&play, &at, &roots).await;
    let mut tx = play.rig.rooms.db().begin();
    tx.clear(&AUTH, &(play.rig.num,));
    tx.clear(&AUTH_LATE, &(play.rig.num,));
    tx.delete(&AUTH_READY, play.rig.num);
    tx.commit().await.unwrap();
    println!("by the events themselves");
    measure(&play, &at, &roots).await;
    time("building the index", play.rig.rooms.index_old_rooms()).await.unwrap();
    let view = play.rig.rooms.db().view();
    let rows = view.raw_page(&AUTH.all(), usize::MAX, false).await.unwrap();
    let bytes: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
    println!("{} rows of {} bytes on average, keys included", rows.len(), bytes / rows.len());
}
