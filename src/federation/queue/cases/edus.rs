//! Messages that are no events.

use serde_json::{Value, json};

use super::rig::{Rig, server};
use crate::queue::{Keep, MAX_EDU_BYTES, QueueError};

fn edu(n: usize) -> Value {
    json!({ "edu_type": "m.direct_to_device", "content": { "n": n } })
}

fn latest(key: &str) -> Keep {
    Keep::Latest { key: key.into(), lasts: 30_000 }
}

fn typing(typing: bool) -> Value {
    json!({ "edu_type": "m.typing", "content": { "typing": typing } })
}

fn receipt(room: &str, user: &str, event: &str) -> Value {
    let receipt = json!({ "data": { "ts": 1 }, "event_ids": [event] });
    json!({ "edu_type": "m.receipt", "content": { room: { "m.read": { user: receipt } } } })
}

#[tokio::test(start_paused = true)]
async fn durable_messages_go_a_hundred_at_a_time_in_order_and_survive_a_crash() {
    let mut rig = Rig::new();
    rig.remote.0.lock().silent.insert(server("a.test"));
    rig.start();
    for n in 0..150 {
        rig.queue.send_edu([server("a.test"), server("hearth.test")], &edu(n), Keep::Durable).await.unwrap();
    }
    rig.settle().await;
    rig.crash().await;
    rig.remote.0.lock().silent.clear();
    rig.start();
    rig.settle().await;
    let got = rig.edus_of("a.test");
    assert_eq!(got[0], got[1]);
    assert!(got.iter().all(|edus| edus.len() <= 100));
    assert_eq!(got[1..].concat(), (0..150).map(edu).collect::<Vec<_>>());
    assert!(rig.edus_of("hearth.test").is_empty());
    assert_eq!(rig.rows().await["federation.edus"], 0);
}

#[tokio::test(start_paused = true)]
async fn of_messages_with_one_key_only_the_newest_is_sent() {
    let mut rig = Rig::new();
    for (key, is) in [("alice", true), ("bob", true), ("alice", false)] {
        rig.queue.send_edu([server("a.test")], &typing(is), latest(key)).await.unwrap();
    }
    rig.start();
    rig.settle().await;
    assert_eq!(rig.edus_of("a.test"), [[typing(true), typing(false)]]);
    assert_eq!(rig.rows().await["federation.in_flight"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_not_sent_when_it_has_passed() {
    let mut rig = Rig::new();
    rig.remote.0.lock().down.insert(server("a.test"));
    rig.start();
    rig.queue.send_edu([server("a.test")], &typing(true), latest("alice")).await.unwrap();
    rig.settle().await;
    rig.remote.0.lock().down.clear();
    rig.pass(40_000).await;
    assert!(rig.edus_of("a.test").is_empty());
    rig.queue.send_edu([server("a.test")], &typing(false), latest("alice")).await.unwrap();
    rig.settle().await;
    assert_eq!(rig.edus_of("a.test"), [[typing(false)]]);
}

#[tokio::test(start_paused = true)]
async fn receipts_of_many_users_and_rooms_are_one_message() {
    let mut rig = Rig::new();
    for (room, user, event) in
        [("!a:x", "@u:x", "$1"), ("!a:x", "@v:x", "$1"), ("!b:x", "@u:x", "$2"), ("!a:x", "@u:x", "$t")]
    {
        let key = format!("{room}{user}{event}");
        rig.queue.send_edu([server("a.test")], &receipt(room, user, event), latest(&key)).await.unwrap();
    }
    rig.start();
    rig.settle().await;
    let got = rig.edus_of("a.test").concat();
    assert_eq!(got.len(), 2, "a user has one receipt for a room in one message: {got:?}");
    let first = &got[0]["content"];
    assert_eq!(first["!a:x"]["m.read"].as_object().unwrap().len(), 2);
    assert_eq!(first["!b:x"]["m.read"]["@u:x"]["event_ids"][0], "$2");
    assert_eq!(got[1], receipt("!a:x", "@u:x", "$t"));
}

#[tokio::test(start_paused = true)]
async fn messages_travel_with_events() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.say(&room, "hello").await;
    rig.queue.send_edu([server("a.test")], &edu(1), Keep::Durable).await.unwrap();
    rig.remote.0.lock().down.insert(server("a.test"));
    rig.start();
    rig.settle().await;
    rig.remote.0.lock().down.clear();
    rig.pass(10_000).await;
    assert_eq!(rig.edus_of("a.test").concat(), [edu(1)]);
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_others_would_refuse_is_not_queued() {
    let rig = Rig::new();
    let large = json!({ "edu_type": "x", "content": "x".repeat(MAX_EDU_BYTES) });
    for keep in [Keep::Durable, latest("x")] {
        let error = rig.queue.send_edu([server("a.test")], &large, keep).await.unwrap_err();
        assert!(matches!(error, QueueError::TooLarge(_)));
    }
}
