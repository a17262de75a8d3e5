//! Senders who asked to be erased.

use serde_json::{Value, json};

use super::rig::{Rig, user};

/// What `name` reads of bob's messages.
async fn of_bob(rig: &Rig, name: &str) -> Vec<Value> {
    let seen = rig.seen(name).await.into_iter();
    let of_bob = |event: &Value| event["sender"] == user("bob").as_str() && event["type"] == "m.room.message";
    seen.filter(of_bob).map(|event| event["content"]["body"].clone()).collect()
}

#[tokio::test]
async fn who_comes_later_does_not_see_what_the_erased_have_said() {
    for rig in [Rig::new().await, Rig::flaky().await] {
        rig.join("bob").await;
        rig.say("bob", "one").await;
        rig.join("carol").await;
        rig.say("bob", "two").await;
        rig.member("bob", "bob", "leave").await;
        rig.join("dave").await;
        assert_eq!(of_bob(&rig, "dave").await, [json!("one"), json!("two")]);
        rig.rooms.erase(&user("bob")).await.unwrap();
        rig.rooms.erase(&user("bob")).await.unwrap();
        assert_eq!(of_bob(&rig, "alice").await, [json!("one"), json!("two")]);
        assert_eq!(of_bob(&rig, "carol").await, [Value::Null, json!("two")], "of what was said when she was there");
        assert_eq!(of_bob(&rig, "dave").await, [Value::Null, Value::Null]);
        rig.say("alice", "hello").await;
        assert_eq!(rig.heard("dave").await.last().unwrap(), "hello");

        let view = rig.rooms.db().view();
        let rows = rig.all().await;
        let served = rig.rooms.for_server(&view, rig.num, "a.test".try_into().unwrap(), &rows).await.unwrap();
        let served: Vec<Value> = served.iter().map(|json| serde_json::from_slice(json).unwrap()).collect();
        let bodies: Vec<_> = served.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
        assert_eq!(bodies, ["hello"], "servers that were not there get no more");
    }
}
