//! Transactions as a whole, and EDUs.

use event::{Draft, Place};
use room::{CreateRoom, Preset};
use ruma::{RoomId, RoomVersionId, UserId};
use serde_json::json;

use super::rig::{Rig, json, server, signer};
use crate::InboundError;

#[tokio::test(start_paused = true)]
async fn a_transaction_that_comes_again_after_a_restart_gets_the_same_answer_and_does_nothing() {
    let rig = Rig::new().await;
    let banned = rig.message("dave:d.test", "who?", None).await;
    let results = rig.push("d.test", "same", &[&banned]).await;
    assert!(results[banned.event_id.as_str()]["error"].is_string());
    let rig = rig.restarted().await;
    let good = rig.message("bob:b.test", "hello", None).await;
    assert_eq!(rig.push("d.test", "same", &[&good]).await, results, "the id alone counts");
    assert!(!rig.has(&good).await);
    assert_ne!(rig.push("b.test", "same", &[&good]).await, results, "it is another server's id");
}

#[tokio::test(start_paused = true)]
async fn a_bad_event_fails_alone() {
    let rig = Rig::new().await;
    let good = rig.message("bob:b.test", "good", None).await;
    let forged = rig.message("bob:b.test", "forged", None).await;
    let mut changed = json(&forged);
    changed["depth"] = json!(99);
    let mut unsigned = json(&rig.message("bob:b.test", "unsigned", None).await);
    unsigned["signatures"] = json!({});
    let rejected = rig.event("bob:b.test", "m.room.topic", Some(""), json!({ "topic": "no" }), None).await;
    let pdus = json!([7, {}, { "room_id": "!unknown:b.test" }, changed, unsigned, json(&rejected), json(&good)]);
    let answer =
        rig.send("b.test", "1", &json!({ "pdus": pdus, "edus": [7, {}, { "edu_type": "x", "content": 1 }] })).await;
    let results = answer["pdus"].as_object().unwrap();
    assert_eq!(results[good.event_id.as_str()], json!({}));
    assert!(rig.shows(&good).await);
    let errors = results.values().filter(|result| result["error"].is_string()).count();
    assert_eq!((results.len(), errors), (4, 3), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_room_is_not_begun_anew() {
    let rig = Rig::new().await;
    let before = rig.state().await;
    let create = rig.event("eve:a.test", "m.room.create", Some(""), json!({ "room_version": "11" }), Some(&[])).await;
    let results = rig.push("b.test", "1", &[&create]).await;
    assert!(results[create.event_id.as_str()]["error"].is_string(), "{results}");
    rig.rooms.ingest_outliers(&rig.id, &[std::sync::Arc::new(create.clone())]).await.unwrap();
    assert!(!rig.has(&create).await);
    assert_eq!(rig.state().await, before);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_with_too_much_in_it_is_refused_as_a_whole() {
    let rig = Rig::new().await;
    for body in [
        json!({ "pdus": vec![json!({}); 51] }),
        json!({ "edus": vec![json!({}); 101] }),
        json!([]),
        json!({ "pdus": 7 }),
    ] {
        let result = rig.inbound.transaction(server("b.test"), "1", body.to_string().as_bytes()).await;
        assert!(matches!(result, Err(InboundError::Malformed(_))), "{result:?}");
    }
    let long = "x".repeat(256);
    let result = rig.inbound.transaction(server("b.test"), &long, b"{}").await;
    assert!(matches!(result, Err(InboundError::Malformed(_))));
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_content_was_changed_on_the_way_is_taken_without_it() {
    let rig = Rig::new().await;
    let sent = rig.message("bob:b.test", "hello", None).await;
    let mut changed = json(&sent);
    changed["content"]["body"] = json!("something else");
    let answer = rig.send("b.test", "1", &json!({ "pdus": [changed] })).await;
    assert_eq!(answer["pdus"], json!({ sent.event_id.as_str(): {} }));
    let view = rig.db.view();
    let at = rig.rooms.locate(&view, &sent.event_id).await.unwrap().unwrap();
    assert_eq!(rig.rooms.row(&view, at.room, at.num).await.unwrap().event.content(), "{}");
}

/// MSC4307: what allows an event has to be of its room.
#[tokio::test(start_paused = true)]
async fn an_event_that_names_what_allows_it_in_another_room_is_rejected() {
    let rig = Rig::new().await;
    let alice = UserId::parse("@alice:a.test").unwrap();
    let new = CreateRoom { version: Some(RoomVersionId::V11), ..CreateRoom::new(alice, Preset::PublicChat) };
    let other = rig.rooms.create(&new).await.unwrap();
    let levels = async |room: &RoomId| {
        let view = rig.db.view();
        let num = rig.rooms.num(&view, room).await.unwrap();
        let tip = rig.rooms.tip(&view, num).await.unwrap();
        let found = rig.rooms.state_event(&view, num, tip.state, "m.room.power_levels", "").await.unwrap();
        found.unwrap().event_id.clone()
    };
    let (ours, foreign) = (levels(&rig.id).await, levels(&other).await);
    let good = rig.message("bob:b.test", "hello", None).await;
    assert!(good.auth_events.contains(&ours));
    let auth: Vec<_> =
        good.auth_events.iter().map(|id| if *id == ours { foreign.clone() } else { id.clone() }).collect();
    let place = Place {
        room_id: Some(&rig.id),
        sender: &good.sender,
        prev_events: &good.prev_events,
        auth_events: &auth,
        hashes: &[],
        depth: good.depth,
        origin_server_ts: good.origin_server_ts,
        random: [0; 16],
    };
    let rules = event::rules(&RoomVersionId::V11).unwrap();
    let draft = Draft::message(good.kind.clone(), good.content.clone());
    let bad = draft.build(&place, &signer("b.test"), &rules).unwrap();
    let results = rig.push("b.test", "1", &[&bad, &good]).await;
    assert!(results[bad.event_id.as_str()]["error"].is_string(), "{results}");
    assert!(!rig.shows(&bad).await && rig.shows(&good).await);
}

fn typing_in(rig: &Rig) -> Vec<ruma::OwnedUserId> {
    rig.inbound.edus.typing.news(rig.num, |_| true).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_kept_out_sends_neither_events_nor_typing_nor_receipts() {
    let rig = Rig::new().await;
    let before = rig.message("bob:b.test", "before", None).await;
    rig.push("b.test", "0", &[&before]).await;
    let typing = |typing| json!({ "edu_type": "m.typing", "content": { "room_id": rig.id, "user_id": "@bob:b.test", "typing": typing } });
    let receipt = json!({ "edu_type": "m.receipt", "content": { rig.id.as_str(): { "m.read": {
        "@bob:b.test": { "data": { "ts": 1 }, "event_ids": [before.event_id] } } } } });
    let acl = json!({ "allow": ["*"], "deny": ["b.test"] });
    let acl = rig.event("alice:a.test", "m.room.server_acl", Some(""), acl, None).await;
    assert!(matches!(
        rig.rooms.ingest(&rig.id, &std::sync::Arc::new(acl), None).await.unwrap(),
        room::Ingested::Accepted(_)
    ));
    let after = rig.message("bob:b.test", "after", None).await;
    let answer = rig.send("b.test", "1", &json!({ "pdus": [json(&after)], "edus": [typing(true), receipt] })).await;
    assert!(answer["pdus"][after.event_id.as_str()]["error"].is_string());
    assert!(typing_in(&rig).is_empty());
    assert!(rig.inbound.edus.receipts.all(&rig.db.view(), rig.num).await.unwrap().is_empty());
    let carol =
        json!({ "edu_type": "m.typing", "content": { "room_id": rig.id, "user_id": "@carol:c.test", "typing": true } });
    rig.send("c.test", "1", &json!({ "edus": [carol] })).await;
    assert_eq!(typing_in(&rig), ["@carol:c.test"]);
}
