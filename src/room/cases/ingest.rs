//! Events of other servers.

use std::sync::Arc;

use event::Draft;
use ruma::{RoomVersionId, events::TimelineEventType};
use serde_json::json;

use super::{
    pair::{self, Pair},
    rig::{raw, user},
};
use crate::{Direction, Ingested, Invitation, Membership, Place, StatesBefore, rig};

#[tokio::test]
async fn a_server_that_joins_has_the_state_and_the_join() {
    for version in [RoomVersionId::V3, RoomVersionId::V6, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12] {
        let pair = Pair::new(version).await;
        assert_eq!(pair.ids(&pair.a).await, pair.ids(&pair.b).await);
        let view = pair.b.db().view();
        let room = pair.b.num(&view, &pair.id).await.unwrap();
        assert_eq!(pair.b.membership(&view, &user("alice:a.test"), room).await.unwrap(), Membership::Join);
        assert_eq!(pair.b.membership(&view, &user("bob:b.test"), room).await.unwrap(), Membership::Join);
        assert_eq!(pair.b.tip(&view, room).await.unwrap().joined, 2);
        assert_eq!(pair.timeline(&pair.b).await.len(), 1);
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_come_only_once() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let from_a = pair.say(&pair.a, "alice:a.test", "hello").await;
    assert!(matches!(pair.give(&pair.b, &from_a).await, Ingested::Accepted(_)));
    assert_eq!(pair.give(&pair.b, &from_a).await, Ingested::Known);
    let from_b = pair.say(&pair.b, "bob:b.test", "hi").await;
    assert!(matches!(pair.give(&pair.a, &from_b).await, Ingested::Accepted(_)));
    assert_eq!((pair.ends(&pair.a).await, pair.ends(&pair.b).await), (1, 1));
    assert_eq!(pair.timeline(&pair.b).await.len(), 3);
}

#[tokio::test]
async fn servers_that_speak_at_once_agree_on_the_state() {
    for version in [RoomVersionId::V1, RoomVersionId::V2, RoomVersionId::V6, RoomVersionId::V11, RoomVersionId::V12] {
        if matches!(version, RoomVersionId::V1 | RoomVersionId::V2) {
            continue;
        }
        let pair = Pair::new(version).await;
        let levels = json!({ "users": { "@alice:a.test": 100, "@bob:b.test": 50 } });
        let v12 = json!({ "users": { "@bob:b.test": 50 } });
        let content = if pair.version() == RoomVersionId::V12 { v12 } else { levels };
        let given = pair.set(&pair.a, "alice:a.test", "m.room.power_levels", &content).await;
        assert!(matches!(pair.give(&pair.b, &given).await, Ingested::Accepted(_)));
        let of_a = pair.set(&pair.a, "alice:a.test", "m.room.topic", &json!({ "topic": "a" })).await;
        let more = pair.set(&pair.a, "alice:a.test", "m.room.name", &json!({ "name": "a" })).await;
        let of_b = pair.set(&pair.b, "bob:b.test", "m.room.topic", &json!({ "topic": "b" })).await;
        for pdu in [&of_a, &more] {
            assert!(matches!(pair.give(&pair.b, pdu).await, Ingested::Accepted(_)));
        }
        assert!(matches!(pair.give(&pair.a, &of_b).await, Ingested::Accepted(_)));
        assert_eq!(pair.ids(&pair.a).await, pair.ids(&pair.b).await);
        assert_eq!((pair.ends(&pair.a).await, pair.ends(&pair.b).await), (2, 2));
        let joined = pair.say(&pair.a, "alice:a.test", "together").await;
        pair.give(&pair.b, &joined).await;
        assert_eq!((pair.ends(&pair.a).await, pair.ends(&pair.b).await), (1, 1));
        assert_eq!(pair.ids(&pair.a).await, pair.ids(&pair.b).await);
    }
}

#[tokio::test]
async fn what_a_banned_user_sends_at_the_same_time_fails_softly() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let late = pair.say(&pair.b, "bob:b.test", "still here").await;
    let ban = Draft::state(TimelineEventType::RoomMember, "@bob:b.test", raw(&json!({ "membership": "ban" })));
    let ban = pair.send(&pair.a, "alice:a.test", ban).await;
    assert!(matches!(pair.give(&pair.a, &late).await, Ingested::SoftFailed(_)));
    assert!(matches!(pair.give(&pair.b, &ban).await, Ingested::Accepted(_)));
    assert_eq!(pair.ends(&pair.a).await, 1);
    assert!(pair.timeline(&pair.a).await.iter().all(|row| row.event.event_id() != late.event_id.as_str()));
    let view = pair.b.db().view();
    let room = pair.b.num(&view, &pair.id).await.unwrap();
    assert_eq!(pair.b.membership(&view, &user("bob:b.test"), room).await.unwrap(), Membership::Ban);
    assert_eq!(pair.b.tip(&view, room).await.unwrap().joined, 1);
}

#[tokio::test]
async fn what_the_rules_forbid_is_rejected_and_nothing_may_cite_it() {
    let pair = Pair::new(RoomVersionId::V11).await;
    // Bob's own server let him, against the rules.
    let forged = pair.forge("bob:b.test", "m.room.topic", &json!({ "topic": "mine" }), &[]).await;
    assert!(matches!(pair.give(&pair.a, &forged).await, Ingested::Rejected(_)));
    assert_eq!(pair.give(&pair.a, &forged).await, Ingested::Known);
    let citing = pair
        .forge("bob:b.test", "m.room.message", &json!({ "body": "x" }), std::slice::from_ref(&forged.event_id))
        .await;
    assert!(matches!(pair.give(&pair.a, &citing).await, Ingested::Rejected(_)));
    assert_eq!(pair.ends(&pair.a).await, 1);
}

#[tokio::test]
async fn what_came_before_is_asked_for_and_then_fits_in() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let first = pair.say(&pair.a, "alice:a.test", "one").await;
    let second = pair.say(&pair.a, "alice:a.test", "two").await;
    let Ingested::Missing(missing) = pair.give(&pair.b, &second).await else { panic!("nothing missing") };
    assert_eq!(missing.prev, std::slice::from_ref(&first.event_id));
    pair.give(&pair.b, &first).await;
    assert!(matches!(pair.give(&pair.b, &second).await, Ingested::Accepted(_)));
    assert_eq!(pair.ends(&pair.b).await, 1);
}

#[tokio::test]
async fn an_event_after_a_gap_is_shown_and_history_stops_before_it() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let lost = pair.say(&pair.a, "alice:a.test", "one").await;
    let state = pair.ids(&pair.a).await;
    let second = pair.say(&pair.a, "alice:a.test", "two").await;
    let became = pair.b.ingest(&pair.id, &second, Some(&state)).await.unwrap();
    assert!(matches!(became, Ingested::Accepted(_)));
    let view = pair.b.db().view();
    let room = pair.b.num(&view, &pair.id).await.unwrap();
    let page = pair.b.timeline(&view, room, Place::MAX, Direction::Backward, 10).await.unwrap();
    assert_eq!((page.events.len(), page.gap), (1, true));
    // What follows it already is no extremity when it comes late, and is not shown out of order.
    let ends = pair.ends(&pair.b).await;
    let rank = page.events[0].0.rank;
    let added = pair.b.backfilled(&pair.id, rank, std::slice::from_ref(&lost), &StatesBefore::new()).await.unwrap();
    assert_eq!((added, pair.ends(&pair.b).await), (1, ends));
    let view = pair.b.db().view();
    let page = pair.b.timeline(&view, room, Place::MAX, Direction::Backward, 10).await.unwrap();
    let bodies: Vec<_> = page.events.iter().map(|(_, _, row)| row.event.event_id().to_owned()).collect();
    assert_eq!(bodies[..2], [second.event_id.to_string(), lost.event_id.to_string()]);
    assert_eq!(page.events.len(), 3, "the join comes before both");
    assert!(page.gap, "before the join there is more");
}

#[tokio::test]
async fn history_from_before_the_join_goes_before_it() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let mut whole: Vec<_> = Vec::new();
    for row in pair.timeline(&pair.a).await {
        whole.push(pair.pdu(&pair.a, &row.event.event_id().try_into().unwrap()).await);
    }
    let rank = pair.timeline(&pair.b).await[0].meta.place.unwrap().rank;
    let mut shuffled = whole.clone();
    shuffled.reverse();
    pair.b.backfilled(&pair.id, rank, &shuffled, &StatesBefore::new()).await.unwrap();
    let ids = |rows: Vec<crate::EventRow>| -> Vec<_> {
        rows.into_iter().map(|row| row.event.event_id().to_owned()).collect()
    };
    assert_eq!(ids(pair.timeline(&pair.b).await), ids(pair.timeline(&pair.a).await));
    let view = pair.b.db().view();
    let room = pair.b.num(&view, &pair.id).await.unwrap();
    let page = pair.b.timeline(&view, room, Place::MAX, Direction::Backward, 1000).await.unwrap();
    assert!(page.end && !page.gap);
}

#[tokio::test]
async fn who_comes_back_gets_the_state_of_then() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let leave = Draft::state(TimelineEventType::RoomMember, "@bob:b.test", raw(&json!({ "membership": "leave" })));
    let leave = pair.send(&pair.b, "bob:b.test", leave).await;
    pair.give(&pair.a, &leave).await;
    pair.set(&pair.a, "alice:a.test", "m.room.topic", &json!({ "topic": "meanwhile" })).await;
    pair.enter().await;
    assert_eq!(pair.ids(&pair.a).await, pair.ids(&pair.b).await);
    let next = pair.say(&pair.b, "bob:b.test", "back").await;
    assert!(matches!(pair.give(&pair.a, &Arc::clone(&next)).await, Ingested::Accepted(_)));
    assert_eq!((pair.ends(&pair.a).await, pair.ends(&pair.b).await), (1, 1));
}

#[tokio::test]
async fn many_ends_are_tied_by_an_event_that_nobody_sees() {
    let pair = Pair::new(RoomVersionId::V11).await;
    for turn in 0..12 {
        let fork = pair.forge("bob:b.test", "m.room.message", &json!({ "body": turn }), &[]).await;
        pair.say(&pair.a, "alice:a.test", "meanwhile").await;
        assert!(matches!(pair.give(&pair.a, &fork).await, Ingested::Accepted(_)));
    }
    // Each of Alice's messages follows what was there: only a fork and her last word are open.
    assert_eq!(pair.ends(&pair.a).await, 2);
    let apart: Vec<_> = {
        let mut all = Vec::new();
        for turn in 0..12 {
            all.push(pair.forge("bob:b.test", "m.room.message", &json!({ "body": turn }), &[]).await);
        }
        all
    };
    for fork in &apart {
        pair.give(&pair.a, fork).await;
    }
    assert_eq!(pair.ends(&pair.a).await, 12);
    pair.a.tie_ends(&pair.id).await.unwrap();
    assert_eq!(pair.ends(&pair.a).await, 1);
}

#[tokio::test]
async fn a_told_state_does_not_bring_back_what_was_replaced() {
    let pair = Pair::new(RoomVersionId::V12).await;
    let member = |name: &str, content: serde_json::Value| {
        Draft::state(TimelineEventType::RoomMember, user(name).as_str(), raw(&content))
    };
    let carol = pair.send(&pair.a, "carol:a.test", member("carol:a.test", json!({ "membership": "join" }))).await;
    pair.give(&pair.b, &carol).await;
    let public =
        pair.state(&pair.a).await.into_iter().find(|pdu| pdu.kind == TimelineEventType::RoomJoinRules).unwrap();
    let closed = pair.set(&pair.a, "alice:a.test", "m.room.join_rules", &json!({ "join_rule": "invite" })).await;
    let left = pair.send(&pair.a, "alice:a.test", member("alice:a.test", json!({ "membership": "leave" }))).await;
    for pdu in [&closed, &left] {
        assert!(matches!(pair.give(&pair.b, pdu).await, Ingested::Accepted(_)));
    }
    let named = |name| member("bob:b.test", json!({ "membership": "join", "displayname": name }));
    let lost = pair.send(&pair.b, "bob:b.test", named("one")).await;
    let next = pair.send(&pair.b, "bob:b.test", named("two")).await;
    pair.a.ingest_outliers(&pair.id, std::slice::from_ref(&lost)).await.unwrap();
    let mut told = pair.ids(&pair.a).await;
    told.retain(|id| *id != closed.event_id);
    told.extend([public.event_id.clone(), lost.event_id.clone()]);
    let became = pair.a.ingest(&pair.id, &next, Some(&told)).await.unwrap();
    assert!(matches!(became, Ingested::Accepted(_)), "{became:?}");
    let now = pair.ids(&pair.a).await;
    assert!(now.contains(&closed.event_id), "the join rules went back");
    assert!(now.contains(&left.event_id), "who left came back");
}

#[tokio::test]
async fn what_a_room_was_when_an_event_of_another_branch_came_is_known() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let late = pair.say(&pair.b, "bob:b.test", "at the same time").await;
    let plain = pair.set(&pair.a, "alice:a.test", "m.room.name", &json!({ "name": "Tea" })).await;
    let view = pair.a.db().view();
    let room = pair.a.num(&view, &pair.id).await.unwrap();
    let known = pair.a.tip(&view, room).await.unwrap().state;
    assert!(matches!(pair.give(&pair.a, &late).await, Ingested::Accepted(_)));
    let view = pair.a.db().view();
    let when = async |id| {
        let num = pair.a.event_num(&view, room, id).await.unwrap();
        let row = pair.a.row(&view, room, num).await.unwrap();
        (pair.a.state_when(&view, room, num, &row).await.unwrap(), row.meta.before)
    };
    let (state, before) = when(&late.event_id).await;
    assert_eq!(state, known);
    assert_ne!(before, known, "which knew nothing of the name");
    let (state, before) = when(&plain.event_id).await;
    assert_eq!(state, before);
}

#[tokio::test]
async fn an_answer_to_the_knock_before_comes_late_and_ends_nothing() {
    let pair = Pair::new(RoomVersionId::V11).await;
    let outside = pair::server("c.test", 3, &rig::clock());
    pair.set(&pair.a, "alice:a.test", "m.room.join_rules", &json!({ "join_rule": "knock" })).await;
    let member = |membership: &str| {
        let content = raw(&json!({ "membership": membership }));
        Draft::state(TimelineEventType::RoomMember, "@carol:c.test", content)
    };
    let mut answers = Vec::new();
    for _ in 0..2 {
        let knock = pair.foreign_from("carol:c.test", &member("knock")).await;
        assert!(matches!(pair.give(&pair.a, &knock).await, Ingested::Accepted(_)));
        let told = Invitation { version: pair.version(), event: knock, state: Vec::new() };
        outside.record_outside(&pair.id, &told).await.unwrap();
        answers.push(pair.send(&pair.a, "alice:a.test", member("leave")).await);
    }
    let carol = user("carol:c.test");
    let membership = async || {
        let view = outside.db().view();
        let room = outside.num(&view, &pair.id).await.unwrap();
        outside.membership(&view, &carol, room).await.unwrap()
    };
    assert!(!outside.end_outside(&pair.id, &answers[0]).await.unwrap());
    assert_eq!(membership().await, Membership::Knock);
    assert!(outside.end_outside(&pair.id, &answers[1]).await.unwrap());
    assert_eq!(membership().await, Membership::Leave);
}
