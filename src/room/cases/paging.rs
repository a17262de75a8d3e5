use std::collections::HashSet;

use ruma::api::client::filter::RoomEventFilter;
use serde_json::json;

use super::rig::{Rig, user};
use crate::{Direction, EventFilter, HistoryQuery, RoomError, TimelineToken, Viewer};

async fn pages(rig: &Rig, name: &str, direction: Direction, limit: usize, filter: &EventFilter) -> Vec<String> {
    let (view, user) = (rig.rooms.db().view(), user(name));
    let viewer = Viewer { user: &user, device: None, now: 0, ignored: &HashSet::new() };
    let access = rig.rooms.access(&view, &user, &rig.id).await.unwrap();
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let query = HistoryQuery { from, to: None, direction, limit, filter };
        let page = rig.rooms.history(&view, &access, &viewer, &query).await.unwrap();
        assert!(page.rows.len() <= limit);
        all.extend(page.rows.iter().map(|(_, row)| row.event.event_id().to_owned()));
        match page.end {
            Some(end) => from = TimelineToken::parse(&end.to_string()),
            None => return all,
        }
    }
}

async fn chatter() -> Rig {
    let rig = Rig::new().await;
    rig.join("bob").await;
    for n in 0..30 {
        rig.say(if n % 3 == 0 { "bob" } else { "alice" }, "hello").await;
        if n % 7 == 0 {
            rig.state("alice", "m.room.topic", "", &json!({ "topic": n.to_string() })).await;
        }
    }
    rig
}

#[tokio::test]
async fn pages_of_any_size_both_ways_make_up_the_whole() {
    let rig = chatter().await;
    let whole: Vec<_> = rig.all().await.iter().map(|(_, row)| row.event.event_id().to_owned()).collect();
    let reversed: Vec<_> = whole.iter().rev().cloned().collect();
    let filter = EventFilter::default();
    for limit in [1, 3, 10, 200] {
        assert_eq!(pages(&rig, "alice", Direction::Forward, limit, &filter).await, whole);
        assert_eq!(pages(&rig, "alice", Direction::Backward, limit, &filter).await, reversed);
    }
}

#[tokio::test]
async fn filtered_pages_make_up_what_passes_the_filter() {
    let rig = chatter().await;
    let filter: RoomEventFilter = serde_json::from_value(
        json!({ "types": ["m.room.m*"], "not_types": ["m.room.member"], "senders": ["@bob:hearth.test"] }),
    )
    .unwrap();
    let filter = EventFilter::new(&filter);
    for limit in [1, 4, 50] {
        assert_eq!(pages(&rig, "alice", Direction::Backward, limit, &filter).await.len(), 10);
        assert_eq!(pages(&rig, "alice", Direction::Forward, limit, &filter).await.len(), 10);
    }
}

#[tokio::test]
async fn who_left_pages_up_to_their_leave_and_a_stranger_not_at_all() {
    let rig = chatter().await;
    let leave = rig.member("bob", "bob", "leave").await;
    rig.say("alice", "he is gone").await;
    let filter = EventFilter::default();
    let back = pages(&rig, "bob", Direction::Backward, 10, &filter).await;
    assert_eq!(back.first().unwrap(), leave.as_str());
    assert_eq!(pages(&rig, "bob", Direction::Forward, 10, &filter).await.len(), back.len());
    let view = rig.rooms.db().view();
    assert!(matches!(rig.rooms.access(&view, &user("carol"), &rig.id).await, Err(RoomError::NotJoined)));
}

#[tokio::test]
async fn the_context_of_an_event_is_what_stands_around_it() {
    let rig = chatter().await;
    let middle = rig.say("bob", "middle").await;
    for _ in 0..5 {
        rig.say("alice", "after").await;
    }
    let (view, user) = (rig.rooms.db().view(), user("alice"));
    let viewer = Viewer { user: &user, device: None, now: 0, ignored: &HashSet::new() };
    let access = rig.rooms.access(&view, &user, &rig.id).await.unwrap();
    for (limit, before, after) in [(0, 0, 0), (1, 0, 1), (5, 2, 3), (8, 4, 4)] {
        let event = rig.row(&middle).await;
        let filter = EventFilter::new(&RoomEventFilter::with_lazy_loading());
        let context = rig.rooms.context(&view, &access, &viewer, event, limit, &filter).await.unwrap();
        assert_eq!((context.before.len(), context.after.len()), (before, after), "limit {limit}");
        let members = context.state.iter().filter(|(_, row)| row.event.kind() == "m.room.member").count();
        assert!((1..=2).contains(&members));
        let query = HistoryQuery {
            from: Some(context.start),
            to: Some(context.end),
            direction: Direction::Forward,
            limit: 50,
            filter: &filter,
        };
        let between = rig.rooms.history(&view, &access, &viewer, &query).await.unwrap();
        assert_eq!(between.rows.len(), before + 1 + after, "limit {limit}");
    }
}

#[tokio::test]
async fn members_are_those_of_the_point_in_time() {
    let rig = Rig::new().await;
    let (_, early) = rig.row(&rig.say("alice", "early").await).await;
    rig.join("bob").await;
    rig.member("alice", "carol", "invite").await;
    let (view, user) = (rig.rooms.db().view(), user("alice"));
    let access = rig.rooms.access(&view, &user, &rig.id).await.unwrap();
    let count =
        async |at, wanted, unwanted| rig.rooms.member_rows(&view, &access, at, wanted, unwanted).await.unwrap().len();
    let then = Some(TimelineToken::after(early.meta.place.unwrap()));
    let now = Some(TimelineToken::END);
    let (join, invite) = (Some(crate::Membership::Join), Some(crate::Membership::Invite));
    assert_eq!(count(None, None, None).await, 3);
    assert_eq!(count(None, join, None).await, 2);
    assert_eq!(count(None, None, join).await, 1);
    assert_eq!(count(then, None, None).await, 1);
    assert_eq!(count(now, invite, None).await, 1);
}
