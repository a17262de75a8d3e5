//! Two nodes on one store, each with a writer and caches of its own: every decision rests on rows.

use kv::{
    Db, WriterId,
    memory::{Memory, Store},
};

use super::rig::{Rig, user};
use crate::{CreateRoom, Preset, rig};

/// Two nodes that know one room, created by alice.
async fn two_nodes() -> [Rig; 2] {
    let (store, clock) = (Store::default(), rig::clock());
    let [one, two] =
        [1, 2].map(|writer| rig::rooms(&Db::new(Memory::on(&store, WriterId(writer))), &clock, Vec::new()));
    let id = one.create(&CreateRoom::new(user("alice"), Preset::PublicChat)).await.unwrap();
    let num = two.num(&two.db().view(), &id).await.unwrap();
    let node = |rooms| Rig { rooms, clock: clock.clone(), id: id.clone(), num };
    [node(one), node(two)]
}

fn ids(all: &[(crate::EventNum, crate::EventRow)]) -> Vec<String> {
    all.iter().map(|(_, row)| row.event.event_id().to_owned()).collect()
}

#[tokio::test]
async fn what_one_node_has_decided_the_other_knows() {
    let [one, two] = two_nodes().await;
    two.join("bob").await;
    one.say("bob", "hello").await;
    one.state("alice", "m.room.topic", "", &serde_json::json!({ "topic": "a" })).await;
    one.member("alice", "bob", "ban").await;
    assert!(two.try_send("bob", "m.room.message", &serde_json::json!({ "body": "still here" })).await.is_err());
    assert_eq!(ids(&one.all().await), ids(&two.all().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_nodes_append_to_one_room_at_the_same_time() {
    const EACH: usize = 25;
    let nodes = two_nodes().await;
    nodes[1].join("bob").await;
    let before = nodes[0].all().await.len();
    let [one, two] = nodes.map(std::sync::Arc::new);
    let sending = [("alice", one.clone()), ("bob", two.clone())].map(|(name, node)| {
        tokio::spawn(async move {
            let mut sent = Vec::new();
            for n in 0..EACH {
                sent.push(node.say(name, &n.to_string()).await.to_string());
            }
            sent
        })
    });
    let mut sent = Vec::new();
    for one in sending {
        sent.push(one.await.unwrap());
    }
    let all = ids(&one.all().await);
    assert_eq!(all, ids(&two.all().await));
    assert_eq!(all.len(), before + 2 * EACH);
    for own in sent {
        let order: Vec<_> = all.iter().filter(|id| own.contains(id)).cloned().collect();
        assert_eq!(order, own, "each sender's events in their order, once");
    }
}
