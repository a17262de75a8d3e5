use std::{sync::Arc, time::Duration};

use event::{Draft, Pdu};
use futures::{FutureExt, future::BoxFuture};
use ruma::{RoomVersionId, ServerName};
use serde_json::json;

use super::{
    pair::Pair,
    rig::{Rig, raw, user},
};
use crate::{
    AskPolicy, CreateRoom, DelayError, Delayed, DelayedAction, DelayedEnd, Later, Once, Outcome, PolicyError, Preset,
    RoomError,
};

fn later(sender: &str, body: &str, delay: u64) -> Later {
    let content = json!({ "msgtype": "m.text", "body": body });
    Later { sender: user(sender), draft: Draft::message("m.room.message".into(), raw(&content)), once: None, delay }
}

impl Rig {
    async fn delay(&self, body: &str, delay: u64) -> String {
        self.rooms.schedule(&self.id, &later("alice", body, delay)).await.unwrap()
    }

    async fn waiting(&self) -> Vec<String> {
        let waiting = self.rooms.delayed_of(&self.rooms.db().view(), &user("alice")).await.unwrap();
        waiting.into_iter().map(|(id, _)| id).collect()
    }

    async fn delayed(&self, id: &str) -> Delayed {
        self.rooms.delayed(&self.rooms.db().view(), &user("alice"), id).await.unwrap()
    }
}

#[tokio::test]
async fn an_event_is_sent_when_it_is_due_and_not_before() {
    for rig in [Rig::new().await, Rig::flaky().await] {
        let (second, first) = (rig.delay("second", 2000).await, rig.delay("first", 1000).await);
        rig.clock.advance(999);
        assert_eq!(rig.rooms.send_due().await.unwrap(), Duration::from_millis(1));
        assert_eq!(rig.waiting().await, [first, second.clone()]);
        assert!(rig.heard("alice").await.is_empty());
        rig.clock.advance(1001);
        rig.rooms.send_due().await.unwrap();
        rig.rooms.send_due().await.unwrap();
        assert_eq!(rig.heard("alice").await, ["first", "second"]);
        assert!(rig.waiting().await.is_empty());
        assert!(matches!(rig.delayed(&second).await.end, Some(DelayedEnd { outcome: Outcome::Sent(_), .. })));
    }
}

#[tokio::test]
async fn what_becomes_of_an_event_can_be_changed_while_it_waits() {
    let rig = Rig::new().await;
    let (cancelled, sent, restarted) =
        (rig.delay("cancelled", 1000).await, rig.delay("sent", 90_000).await, rig.delay("restarted", 1000).await);
    rig.clock.advance(500);
    let change = async |id: &str, action| rig.rooms.change_delayed(id, action).await;
    change(&cancelled, DelayedAction::Cancel).await.unwrap();
    change(&sent, DelayedAction::Send).await.unwrap();
    change(&restarted, DelayedAction::Restart).await.unwrap();
    rig.clock.advance(999);
    rig.rooms.send_due().await.unwrap();
    assert_eq!(rig.heard("alice").await, ["sent"]);
    // What was done may be done again, and nothing else.
    change(&cancelled, DelayedAction::Cancel).await.unwrap();
    change(&sent, DelayedAction::Send).await.unwrap();
    for (id, action) in [
        (&cancelled, DelayedAction::Send),
        (&cancelled, DelayedAction::Restart),
        (&sent, DelayedAction::Cancel),
        (&sent, DelayedAction::Restart),
    ] {
        assert!(matches!(change(id, action).await, Err(DelayError::Ended)));
    }
    assert!(matches!(change("unknown", DelayedAction::Send).await, Err(DelayError::Unknown)));
    rig.clock.advance(1);
    rig.rooms.send_due().await.unwrap();
    assert_eq!(rig.heard("alice").await, ["sent", "restarted"]);
}

#[tokio::test]
async fn an_event_that_its_user_may_not_send_when_it_is_due_ends_with_the_reason() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    let id = rig.rooms.schedule(&rig.id, &later("bob", "x", 1000)).await.unwrap();
    rig.member("alice", "bob", "leave").await;
    rig.rooms.send_due().await.unwrap();
    let row = rig.rooms.delayed(&rig.rooms.db().view(), &user("bob"), &id).await.unwrap();
    assert!(matches!(row.end.unwrap().outcome, Outcome::Failed { forbidden: true, .. }));
    assert!(rig.heard("alice").await.is_empty());
}

#[tokio::test]
async fn a_repeated_transaction_id_answers_the_first_one() {
    let rig = Rig::new().await;
    let once = Some(Once { device: "DEVICE".into(), id: "txn".into() });
    let first = rig.rooms.schedule(&rig.id, &Later { once: once.clone(), ..later("alice", "a", 10) }).await.unwrap();
    let again = rig.rooms.schedule(&rig.id, &Later { once, ..later("alice", "a", 10) }).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(rig.waiting().await.len(), 1);
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let rig = Rig::new().await;
    let id = rig.delay("x", 0).await;
    rig.rooms.send_due().await.unwrap();
    rig.clock.advance(8 * 24 * 60 * 60 * 1000);
    rig.rooms.send_due().await.unwrap();
    let gone = rig.rooms.delayed(&rig.rooms.db().view(), &user("alice"), &id).await;
    assert!(matches!(gone, Err(DelayError::Unknown)));
}

#[tokio::test]
async fn delays_have_limits() {
    let rig = Rig::new().await;
    let (longest, most) = rig.rooms.delay_limits();
    let too_long = rig.rooms.schedule(&rig.id, &later("alice", "x", longest + 1)).await;
    assert!(matches!(too_long, Err(DelayError::TooLong(limit)) if limit == longest));
    for _ in 0..most {
        rig.delay("x", longest).await;
    }
    assert!(matches!(rig.rooms.schedule(&rig.id, &later("alice", "x", 1)).await, Err(DelayError::TooMany(_))));
    let stranger = rig.rooms.schedule(&rig.id, &later("carol", "x", 1)).await;
    assert!(matches!(stranger, Err(DelayError::Room(RoomError::NotJoined))));
    let join = Draft::state("m.room.member".into(), user("alice"), raw(&json!({ "membership": "join" })));
    let join = rig.rooms.schedule(&rig.id, &Later { draft: join, ..later("bob", "", 1) }).await;
    assert!(matches!(join, Err(DelayError::NotDelayable(_))));
}

/// A policy server that never answers.
struct Silent;

impl AskPolicy for Silent {
    fn ask<'a>(&'a self, _: &'a ServerName, _: &'a Pdu) -> BoxFuture<'a, Result<String, PolicyError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_policy_server_of_another_room() {
    let mut pair = Pair::new(RoomVersionId::V11).await;
    let policy = json!({ "via": "b.test", "public_keys": { "ed25519": pair.b.signer.public_key_base64() } });
    pair.set(&pair.a, "alice:a.test", "m.room.policy", &policy).await;
    pair.a = pair.a.with_policy_servers(Arc::new(Silent));
    let alice = user("alice:a.test");
    let open = pair.a.create(&CreateRoom::new(alice.clone(), Preset::PublicChat)).await.unwrap();
    let mut ids = Vec::new();
    for room in [&pair.id, &open] {
        ids.push(pair.a.schedule(room, &later("alice:a.test", "x", 0)).await.unwrap());
    }
    let mut sending = Box::pin(pair.a.send_due());
    let ended = async |id: &str| pair.a.delayed(&pair.a.db().view(), &alice, id).await.unwrap().end.is_some();
    assert!((&mut sending).now_or_never().is_none());
    assert_eq!((ended(&ids[0]).await, ended(&ids[1]).await), (false, true));
    assert_eq!(sending.await.unwrap(), Duration::ZERO);
    assert!(!ended(&ids[0]).await, "it is tried again");
}
