//! Events of which the past is missing. Server-server API, "Retrieving missing events".

use http::StatusCode;
use serde_json::json;

use super::rig::{Rig, json};

#[tokio::test(start_paused = true)]
async fn a_gap_is_filled_by_who_pushed_the_event() {
    let rig = Rig::new().await;
    let first = rig.message("bob:b.test", "one", None).await;
    let second = rig.message("bob:b.test", "two", Some(&[&first.event_id])).await;
    rig.world.answers("b.test", "get_missing_events", json!({ "events": [json(&first)] }));
    assert_eq!(rig.push("b.test", "1", &[&second]).await, json!({ second.event_id.as_str(): {} }));
    assert!(rig.shows(&first).await && rig.shows(&second).await);
    assert_eq!(rig.world.asked(), ["b.test get_missing_events"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_of_which_the_past_is_withheld_is_not_taken() {
    let rig = Rig::new().await;
    let first = rig.message("bob:b.test", "one", None).await;
    let second = rig.message("bob:b.test", "two", Some(&[&first.event_id])).await;
    let other = rig.message("bob:b.test", "other", None).await;
    rig.world.answers("b.test", "state_ids", json!({ "pdu_ids": rig.state().await, "auth_chain_ids": [] }));
    for answer in [json!({ "events": [] }), json!({}), json!([7]), json!({ "events": [json(&other)] })] {
        rig.world.answers("b.test", "get_missing_events", answer);
        let txn = rig.clock.now().to_string();
        rig.clock.advance(1);
        let results = rig.push("b.test", &txn, &[&second]).await;
        assert_eq!(results, json!({ second.event_id.as_str(): {} }), "the event itself is not at fault");
        assert!(!rig.has(&second).await);
        assert_eq!(rig.world.asked(), ["b.test get_missing_events"], "nobody is asked for a state");
    }
}

#[tokio::test(start_paused = true)]
async fn another_server_in_the_room_is_asked_when_the_sender_is_broken() {
    let rig = Rig::new().await;
    let first = rig.message("bob:b.test", "one", None).await;
    let second = rig.message("bob:b.test", "two", Some(&[&first.event_id])).await;
    rig.world.fails("b.test", "get_missing_events", StatusCode::BAD_GATEWAY);
    rig.world.answers("c.test", "get_missing_events", json!({ "events": [json(&first)] }));
    assert_eq!(rig.push("b.test", "1", &[&second]).await, json!({ second.event_id.as_str(): {} }));
    assert!(rig.shows(&first).await);
    assert_eq!(rig.world.asked(), ["b.test get_missing_events", "c.test get_missing_events"]);
}

#[tokio::test(start_paused = true)]
async fn the_state_is_asked_for_when_nobody_can_be_asked_for_the_events() {
    let rig = Rig::new().await;
    let first = rig.message("bob:b.test", "one", None).await;
    let second = rig.message("bob:b.test", "two", Some(&[&first.event_id])).await;
    let topic = rig.event("alice:a.test", "m.room.topic", Some(""), json!({ "topic": "x" }), None).await;
    rig.world.fails("b.test", "get_missing_events", StatusCode::NOT_FOUND);
    let mut state = rig.state().await;
    state.push(topic.event_id.clone());
    rig.world.answers("b.test", "state_ids", json!({ "pdu_ids": state, "auth_chain_ids": [] }));
    rig.world.answers("b.test", "event/", json!({ "pdus": [json(&topic)] }));
    assert_eq!(rig.push("b.test", "1", &[&second]).await, json!({ second.event_id.as_str(): {} }));
    assert!(rig.shows(&second).await);
    assert!(rig.state().await.contains(&topic.event_id), "told by the state before the event");

    let third = rig.message("bob:b.test", "three", Some(&[&second.event_id])).await;
    assert_eq!(rig.push("b.test", "2", &[&third]).await, json!({ third.event_id.as_str(): {} }));
}

#[tokio::test(start_paused = true)]
async fn a_told_state_cannot_bring_in_what_its_own_auth_events_forbid() {
    let rig = Rig::new().await;
    let first = rig.message("bob:b.test", "one", None).await;
    let second = rig.message("bob:b.test", "two", Some(&[&first.event_id])).await;
    let levels = json!({ "users": { "@bob:b.test": 100 } });
    let levels = rig.event("bob:b.test", "m.room.power_levels", Some(""), levels, None).await;
    rig.world.fails("b.test", "get_missing_events", StatusCode::NOT_FOUND);
    let mut state = rig.state().await;
    state.push(levels.event_id.clone());
    rig.world.answers("b.test", "state_ids", json!({ "pdu_ids": state, "auth_chain_ids": [] }));
    rig.world.answers("b.test", "event/", json!({ "pdus": [json(&levels)] }));
    rig.push("b.test", "1", &[&second]).await;
    assert!(!rig.state().await.contains(&levels.event_id));
    let forbidden = rig.event("bob:b.test", "m.room.topic", Some(""), json!({ "topic": "mine" }), None).await;
    let results = rig.push("b.test", "2", &[&forbidden]).await;
    assert!(results[forbidden.event_id.as_str()]["error"].is_string(), "{results}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_any_more_when_it_has_taken_too_long() {
    let rig = Rig::new().await;
    let mut effort = super::super::Effort::default();
    assert!(effort.gap() && effort.state() && effort.chain() && effort.event());
    tokio::time::advance(std::time::Duration::from_secs(121)).await;
    assert!(!(effort.gap() || effort.state() || effort.chain() || effort.event()));
    drop(rig);
}
