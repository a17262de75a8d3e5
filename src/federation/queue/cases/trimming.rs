//! What is kept for servers that are down for long.

use serde_json::{Value, json};

use super::rig::{Rig, server};
use crate::queue::Keep;

const HOUR: u64 = 60 * 60 * 1000;
const WEEK: u64 = 7 * 24 * HOUR;

fn message(n: usize) -> Value {
    json!({ "edu_type": "m.direct_to_device", "content": { "n": n } })
}

fn devices(user: &str, n: usize) -> Value {
    json!({ "edu_type": "m.device_list_update", "content": { "user_id": user, "stream_id": n } })
}

async fn send(rig: &Rig, edu: &Value) {
    rig.queue.send_edu([server("a.test")], edu, Keep::Durable).await.unwrap();
}

async fn down() -> Rig {
    let mut rig = Rig::new();
    rig.remote.0.lock().down.insert(server("a.test"));
    rig.start();
    rig
}

async fn back(rig: &Rig) -> Vec<Value> {
    rig.remote.0.lock().down.clear();
    rig.pass(2 * HOUR).await;
    rig.edus_of("a.test").concat()
}

#[tokio::test(start_paused = true)]
async fn of_what_is_told_of_devices_the_newest_is_kept_and_of_messages_everything() {
    let rig = down().await;
    // The first transaction is on its way and stays as it is.
    send(&rig, &devices("@u:x", 0)).await;
    rig.settle().await;
    for n in 1..50 {
        send(&rig, &devices("@u:x", n)).await;
        send(&rig, &devices("@v:x", n)).await;
        send(&rig, &message(n)).await;
    }
    rig.pass(HOUR).await;
    assert_eq!(rig.rows().await["federation.edus"], 49 + 2);
    let mut expected: Vec<_> = (1..50).map(message).collect();
    expected.insert(0, devices("@u:x", 0));
    expected.insert(49, devices("@u:x", 49));
    expected.insert(50, devices("@v:x", 49));
    let got = back(&rig).await;
    assert_eq!(got, expected);
}

#[tokio::test(start_paused = true)]
async fn after_a_week_only_the_newest_messages_are_kept() {
    let rig = down().await;
    send(&rig, &message(0)).await;
    rig.settle().await;
    rig.pass(WEEK).await;
    rig.pass(2 * HOUR).await;
    for n in 1..300 {
        send(&rig, &message(n)).await;
    }
    rig.pass(2 * HOUR).await;
    assert_eq!(rig.rows().await["federation.edus"], 100);
    let got = back(&rig).await;
    assert_eq!(got[1..], (200..300).map(message).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_not_kept_for_a_server_that_is_long_gone() {
    let rig = down().await;
    let keep = |n: usize| Keep::Latest { key: n.to_string(), lasts: WEEK };
    let waiting = |rig: &Rig| rig.queue.destinations.find(&server("a.test")).unwrap().state.lock().latest.len();
    rig.queue.send_edu([server("a.test")], &message(0), keep(0)).await.unwrap();
    rig.settle().await;
    for n in 1..100 {
        rig.queue.send_edu([server("a.test")], &message(n), keep(n)).await.unwrap();
    }
    assert_eq!(waiting(&rig), 50);
    for _ in 0..4 {
        rig.pass(HOUR).await;
    }
    assert_eq!(waiting(&rig), 0);
    rig.queue.send_edu([server("a.test")], &message(100), keep(100)).await.unwrap();
    assert_eq!(waiting(&rig), 0);
}
