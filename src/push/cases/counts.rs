use account::AccountData;
use ephemeral::{ReceiptKind, Thread};
use kv::Read;
use room::MemberAction;
use ruma::push::{Action, NewPatternedPushRule, NewPushRule, RuleKind};
use serde_json::json;

use super::rig::{Rig, in_thread, text, unread, user};
use crate::tables;

#[tokio::test]
async fn messages_after_the_join_count_and_own_ones_do_not() {
    let rig = Rig::flaky().await;
    rig.say("alice", "before").await;
    rig.join("bob").await;
    rig.join("carol").await;
    rig.say("bob", "one").await;
    rig.say("alice", "two").await;
    rig.state("alice", "m.room.topic", json!({ "topic": "t" })).await;
    assert_eq!(rig.total("carol").await, unread(2, 0));
    assert_eq!(rig.total("bob").await, unread(1, 0));
    assert_eq!(rig.total("nobody").await, unread(0, 0));
}

#[tokio::test]
async fn a_mention_highlights_for_the_mentioned_and_a_redaction_takes_it_back() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let mut hello = text("hello bob");
    hello["m.mentions"] = json!({ "user_ids": [user("bob"), user("nobody"), user("bob"), 7] });
    let hello = rig.send("alice", "m.room.message", hello).await;
    assert_eq!((rig.total("bob").await, rig.total("carol").await), (unread(1, 1), unread(1, 0)));
    rig.redact("alice", &hello).await;
    assert_eq!((rig.total("bob").await, rig.total("carol").await), (unread(0, 0), unread(0, 0)));
}

#[tokio::test]
async fn threads_count_apart_and_an_unthreaded_receipt_covers_them() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let root = rig.say("alice", "root").await;
    let reply = rig.send("alice", "m.room.message", in_thread(text("in"), &root)).await;
    rig.say("alice", "out").await;
    let counts = rig.counts("bob").await;
    assert_eq!((counts.main, counts.total), (unread(2, 0), unread(3, 0)));
    assert_eq!(counts.threads, [(root.clone(), unread(1, 0))]);

    rig.read("bob", ReceiptKind::Private, Thread::Root(root.clone()), &reply).await;
    assert_eq!(rig.total("bob").await, unread(2, 0));
    rig.read("bob", ReceiptKind::Public, Thread::Main, &root).await;
    assert_eq!(rig.total("bob").await, unread(1, 0));
    rig.send("alice", "m.room.message", in_thread(text("more"), &root)).await;
    let last = rig.say("alice", "end").await;
    assert_eq!(rig.total("bob").await, unread(3, 0));
    rig.read("bob", ReceiptKind::Public, Thread::Unthreaded, &last).await;
    assert_eq!(rig.counts("bob").await, crate::RoomCounts::default());
}

#[tokio::test]
async fn who_writes_has_read_what_was_before_in_that_thread() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let root = rig.say("alice", "root").await;
    let reply = |body: &str| in_thread(text(body), &root);
    rig.send("alice", "m.room.message", reply("one")).await;
    rig.say("bob", "out").await;
    let counts = rig.counts("bob").await;
    assert_eq!((counts.main, counts.total), (unread(0, 0), unread(1, 0)));
    rig.send("bob", "m.room.message", reply("two")).await;
    assert_eq!(rig.counts("bob").await, crate::RoomCounts::default());
    let last = rig.say("alice", "end").await;
    rig.send("alice", "m.room.message", reply("three")).await;
    assert_eq!(rig.counts("bob").await.threads, [(root.clone(), unread(1, 0))]);
    assert_eq!((rig.total("bob").await, rig.total("carol").await), (unread(2, 0), unread(6, 0)));

    // Neither a redaction nor state says that somebody was reading.
    rig.redact("alice", &last).await;
    rig.member("carol", MemberAction::Profile, Some("Caroline")).await;
    assert_eq!((rig.total("bob").await, rig.total("carol").await), (unread(1, 0), unread(5, 0)));
}

#[tokio::test]
async fn rules_that_change_count_for_what_is_already_unread() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let bob = user("bob");
    rig.rules
        .put(&bob, NewPushRule::Content(NewPatternedPushRule::new("k".into(), "cake".into(), Vec::new())), None, None)
        .await
        .unwrap();
    rig.say("alice", "CAKE!").await;
    rig.say("alice", "pancakes").await;
    assert_eq!(rig.total("bob").await, unread(1, 0));
    rig.rules.set_enabled(&bob, &RuleKind::Underride, ".m.rule.message", false).await.unwrap();
    rig.rules.set_actions(&bob, &RuleKind::Content, "k", &[Action::Notify]).await.unwrap();
    assert_eq!(rig.total("bob").await, unread(1, 0));
    rig.rules.remove(&bob, &RuleKind::Content, "k").await.unwrap();
    assert_eq!(rig.total("bob").await, unread(0, 0));
    assert_eq!(rig.total("carol").await, unread(2, 0));
}

#[tokio::test]
async fn messages_of_ignored_users_do_not_count() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let mut hello = text("hello bob");
    hello["m.mentions"] = json!({ "user_ids": [user("bob")] });
    rig.send("alice", "m.room.message", hello.clone()).await;
    rig.send("carol", "m.room.message", hello).await;
    let list = json!({ "ignored_users": { user("alice"): {} } }).to_string();
    AccountData::new(rig.db.clone()).set(&user("bob"), None, "m.ignored_user_list", &list).await.unwrap();
    assert_eq!(rig.total("bob").await, unread(1, 1));
}

#[tokio::test]
async fn a_send_writes_as_many_rows_in_a_large_room_as_in_a_small_one() {
    let mut written = Vec::new();
    for members in [2, 40] {
        let rig = Rig::new().await;
        for i in 0..members {
            rig.join(&format!("user{i}")).await;
        }
        let count = async || {
            let view = rig.db.view();
            let rows = view.scan(&tables::SUMS, tables::SUMS.all()).collect().await.unwrap().len();
            rows + view.scan(&tables::CONCERNED, tables::CONCERNED.all()).collect().await.unwrap().len()
        };
        let before = count().await;
        rig.say("alice", "hi").await;
        written.push(count().await - before);
    }
    assert_eq!(written, [2, 2]);
}

#[tokio::test]
async fn notifications_come_newest_first_in_pages() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    rig.join("carol").await;
    let mut mention = text("hello bob");
    mention["m.mentions"] = json!({ "user_ids": [user("bob")] });
    let first = rig.send("alice", "m.room.message", mention).await;
    for i in 0..4 {
        rig.say("alice", &i.to_string()).await;
        rig.state("alice", "m.room.topic", json!({ "topic": i })).await;
    }
    rig.read("bob", ReceiptKind::Public, Thread::Unthreaded, &first).await;
    let view = rig.db.view();
    let reader = crate::Reader::of(&view, &user("bob")).await.unwrap();
    let (mut from, mut seen) = (None::<String>, Vec::new());
    loop {
        let page = rig.counts.notifications(&view, &reader, from.as_deref(), 2, false).await.unwrap();
        seen.extend(page.notifications.into_iter().map(|n| (n.row.event.event_id().to_owned(), n.read)));
        let Some(next) = page.next else { break };
        from = Some(next);
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen.last(), Some(&(first.to_string(), true)));
    assert_eq!(seen.iter().filter(|(_, read)| !read).count(), 4);
    let only = rig.counts.notifications(&view, &reader, None, 10, true).await.unwrap();
    assert_eq!(only.notifications.len(), 1);
    assert!(rig.counts.notifications(&view, &reader, Some("x"), 10, true).await.is_err());
}
