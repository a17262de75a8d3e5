//! What another server can make us keep.

use event::{Draft, Place};
use kv::Read;
use ruma::{MilliSecondsSinceUnixEpoch, RoomId, RoomVersionId, UInt, UserId};
use serde_json::{json, value::to_raw_value};

use super::{
    super::{junk::Whose, received::KEPT},
    rig::{NOW, Rig, server, signer},
};
use crate::{MembershipError, Memberships, membership::IncomingInvite, tables::ANSWERED};

#[tokio::test(start_paused = true)]
async fn only_the_last_transactions_of_a_server_are_remembered_and_only_for_a_while() {
    let rig = Rig::new().await;
    for n in 0..3 * KEPT {
        rig.push("b.test", &n.to_string(), &[]).await;
    }
    let row = rig.db.begin().peek(&ANSWERED, server("b.test")).await.unwrap().unwrap();
    let ids: Vec<_> = row.answers.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids, (2 * KEPT..3 * KEPT).map(|n| n.to_string()).collect::<Vec<_>>());
    rig.inbound.sweep().await.unwrap();
    assert!(rig.db.begin().peek(&ANSWERED, server("b.test")).await.unwrap().is_some());
    rig.clock.advance(25 * 60 * 60 * 1000);
    rig.inbound.sweep().await.unwrap();
    assert!(rig.db.begin().peek(&ANSWERED, server("b.test")).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn refused_events_are_kept_until_they_are_too_many_and_told_of_even_then() {
    let rig = Rig::new().await;
    let first = rig.message("dave:d.test", "one", None).await;
    assert!(rig.push("d.test", "1", &[&first]).await[first.event_id.as_str()]["error"].is_string());
    assert!(rig.has(&first).await);
    rig.inbound.junk.kept(Whose::Stranger, 64 << 20);
    let second = rig.message("dave:d.test", "two", None).await;
    assert!(rig.push("d.test", "2", &[&second]).await[second.event_id.as_str()]["error"].is_string());
    assert!(!rig.has(&second).await);
    let good = rig.message("bob:b.test", "good", None).await;
    rig.push("b.test", "1", &[&good]).await;
    assert!(rig.shows(&good).await, "what is let in is not counted");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_made_us_keep_too_much_is_not_asked_for_states() {
    let rig = Rig::new().await;
    let missing = rig.message("bob:b.test", "missing", None).await;
    let pushed = rig.message("bob:b.test", "pushed", Some(&[&missing.event_id])).await;
    let told = rig
        .event(
            "bob:b.test",
            "m.room.member",
            Some("@bob:b.test"),
            serde_json::json!({ "membership": "join", "displayname": "x" }),
            None,
        )
        .await;
    rig.world.fails("b.test", "get_missing_events", http::StatusCode::NOT_FOUND);
    let state = serde_json::json!({ "pdu_ids": [told.event_id], "auth_chain_ids": [] });
    rig.world.answers("b.test", "state_ids", state);
    rig.world.answers("b.test", "event/", serde_json::json!({ "pdus": [super::rig::json(&told)] }));
    rig.inbound.junk.kept(Whose::Member(server("b.test")), 64 << 20);
    let results = rig.push("b.test", "1", &[&pushed]).await;
    assert!(results[pushed.event_id.as_str()]["error"].is_string(), "{results}");
    assert!(!rig.has(&told).await && !rig.has(&pushed).await);
}

#[tokio::test(start_paused = true)]
async fn a_user_has_at_most_so_many_invites_of_other_servers() {
    const MOST: usize = 500;
    let rig = Rig::new().await;
    let memberships = Memberships::new(rig.rooms.clone(), rig.inbound.client.clone(), rig.inbound.checks().clone());
    let rules = event::rules(&RoomVersionId::V11).unwrap();
    let (bob, content) = (UserId::parse("@bob:b.test").unwrap(), json!({ "membership": "invite" }));
    let invite = async |n: usize, user: &str| {
        let room_id = RoomId::parse(format!("!room{n}:b.test")).unwrap();
        let draft = Draft::state("m.room.member".into(), user, to_raw_value(&content).unwrap());
        let place = Place {
            room_id: Some(&room_id),
            sender: &bob,
            prev_events: &[],
            auth_events: &[],
            hashes: &[],
            depth: 1,
            origin_server_ts: MilliSecondsSinceUnixEpoch(UInt::new_saturating(NOW)),
            random: [0; 16],
        };
        let pdu = draft.build(&place, &signer("b.test"), &rules).unwrap();
        let incoming = IncomingInvite {
            origin: server("b.test"),
            room_id: &room_id,
            event_id: &pdu.event_id,
            version: RoomVersionId::V11,
            event: pdu.json().clone(),
            state: Vec::new(),
        };
        let checked = memberships.check_invite(incoming).await?;
        memberships.take_invite(checked).await.map(drop)
    };
    for n in 0..MOST {
        invite(n, "@alice:a.test").await.unwrap();
    }
    let one_more = invite(MOST, "@alice:a.test").await;
    assert!(matches!(one_more, Err(MembershipError::Forbidden(_))), "{one_more:?}");
    invite(MOST, "@dave:a.test").await.unwrap();
}
