//! Rooms with a policy server. Server-server API, "Policy Servers".

use std::sync::Arc;

use event::{Draft, Signer};
use room::{Later, MemberAction, MemberChange, Membership, Outcome, Outgoing, RoomError};
use ruma::{OwnedEventId, UserId};
use serde_json::{json, value::to_raw_value};

use super::rig::{Rig, server};
use crate::{MembershipError, Memberships, membership::Received};

fn signer(seed: u8) -> Arc<Signer> {
    Arc::new(Signer::new("c.test".try_into().unwrap(), "ed25519:policy_server".try_into().unwrap(), &[seed; 32]))
}

/// A room whose events `c.test` signs unless they speak of spam.
async fn guarded() -> Rig {
    let rig = Rig::new().await;
    let content = json!({ "via": "c.test", "public_keys": { "ed25519": signer(9).public_key_base64() } });
    let policy = rig.event("alice:a.test", "m.room.policy", Some(""), content, None).await;
    assert_eq!(rig.push("b.test", "policy", &[&policy]).await, json!({ policy.event_id.as_str(): {} }));
    *rig.world.policy.lock() = Some((signer(9), "spam"));
    rig.world.asked();
    rig
}

async fn say(rig: &Rig, text: &str) -> Result<OwnedEventId, RoomError> {
    let content = to_raw_value(&json!({ "msgtype": "m.text", "body": text })).unwrap();
    let alice = UserId::parse("@alice:a.test").unwrap();
    rig.rooms.send(&rig.id, &Outgoing::new(&alice, Draft::message("m.room.message".into(), content))).await
}

async fn is_signed(rig: &Rig, id: &OwnedEventId) -> bool {
    let view = rig.db.view();
    let num = rig.rooms.event_num(&view, rig.num, id).await.unwrap();
    let pdu = rig.rooms.pdu(&view, rig.num, num).await.unwrap();
    let rules = event::rules(&ruma::RoomVersionId::V11).unwrap();
    event::verify::is_recommended(&pdu, &rules, "c.test".try_into().unwrap(), &signer(9).public_key())
}

#[tokio::test(start_paused = true)]
async fn our_events_are_signed_by_the_policy_server_or_not_sent() {
    let rig = guarded().await;
    let id = say(&rig, "hello").await.unwrap();
    assert!(is_signed(&rig, &id).await);
    let refused = say(&rig, "spam").await;
    assert!(
        matches!(&refused, Err(RoomError::NotRecommended { status: 400, body }) if body.contains("M_FORBIDDEN")),
        "{refused:?}"
    );
    *rig.world.policy.lock() = Some((signer(8), "spam"));
    assert!(matches!(say(&rig, "hello").await, Err(RoomError::PolicyUnavailable(_))), "it signs with another key");
    *rig.world.policy.lock() = None;
    assert!(matches!(say(&rig, "hello").await, Err(RoomError::PolicyUnavailable(_))));
}

#[tokio::test(start_paused = true)]
async fn events_of_others_are_shown_when_the_policy_server_has_signed_them_or_does() {
    let rig = guarded().await;
    let rules = event::rules(&ruma::RoomVersionId::V11).unwrap();
    let signed = rig.message("bob:b.test", "signed", None).await.cosigned(&signer(9), &rules).unwrap();
    rig.push("b.test", "1", &[&signed]).await;
    assert!(rig.shows(&signed).await);
    assert!(rig.world.asked().is_empty());

    let unsigned = rig.message("bob:b.test", "unsigned", None).await;
    rig.push("b.test", "2", &[&unsigned]).await;
    assert!(rig.shows(&unsigned).await && is_signed(&rig, &unsigned.event_id).await);
    assert_eq!(rig.world.asked(), ["c.test sign"]);

    let spam = rig.message("bob:b.test", "spam", None).await;
    assert_eq!(rig.push("b.test", "3", &[&spam]).await, json!({ spam.event_id.as_str(): {} }), "soft-failed");
    assert!(rig.has(&spam).await && !rig.shows(&spam).await);

    *rig.world.policy.lock() = None;
    let (one, two) = (rig.message("bob:b.test", "one", None).await, rig.message("bob:b.test", "two", None).await);
    rig.world.asked();
    rig.push("b.test", "4", &[&one, &two]).await;
    assert!(!rig.shows(&one).await && !rig.shows(&two).await);
    assert_eq!(rig.world.asked().len(), 1, "it is down, and not asked for each event");
}

#[tokio::test(start_paused = true)]
async fn a_room_is_rid_of_its_policy_server_without_asking_it() {
    let rig = guarded().await;
    *rig.world.policy.lock() = None;
    let none = rig.event("alice:a.test", "m.room.policy", Some(""), json!({}), None).await;
    rig.push("b.test", "1", &[&none]).await;
    assert!(rig.shows(&none).await);
    assert!(say(&rig, "free").await.is_ok());
    assert!(rig.world.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_policy_server_that_is_not_in_the_room_decides_nothing() {
    let rig = guarded().await;
    let left = json!({ "membership": "leave" });
    let left = rig.event("carol:c.test", "m.room.member", Some("@carol:c.test"), left, None).await;
    rig.push("c.test", "leave", &[&left]).await;
    *rig.world.policy.lock() = None;
    assert!(say(&rig, "spam").await.is_ok());
}

async fn change(rig: &Rig, change: MemberChange) -> Result<bool, RoomError> {
    rig.rooms.change_member(&rig.id, &change).await
}

async fn membership(rig: &Rig, user: &UserId) -> Membership {
    rig.rooms.membership(&rig.db.view(), user, rig.num).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn changes_of_membership_are_signed_too_but_nobody_is_kept_from_leaving() {
    let rig = guarded().await;
    let (alice, dave) = (UserId::parse("@alice:a.test").unwrap(), UserId::parse("@dave:a.test").unwrap());
    let join = |reason: &str| MemberChange::own(&*dave, MemberAction::Join).with_reason(Some(reason.to_owned()));
    let refused = change(&rig, join("spam")).await;
    assert!(matches!(refused, Err(RoomError::NotRecommended { status: 400, .. })), "{refused:?}");
    assert_eq!(membership(&rig, &dave).await, Membership::Leave);
    rig.world.asked();
    assert!(change(&rig, join("tea")).await.unwrap());
    assert_eq!(rig.world.asked(), ["c.test sign"]);
    let view = rig.db.view();
    let tip = rig.rooms.tip(&view, rig.num).await.unwrap();
    let event =
        rig.rooms.state_event(&view, rig.num, tip.state, "m.room.member", dave.as_str()).await.unwrap().unwrap();
    assert!(is_signed(&rig, &event.event_id).await);
    assert!(!change(&rig, MemberChange::own(&*dave, MemberAction::Join)).await.unwrap(), "they are in the room");

    let eve = UserId::parse("@eve:d.test").unwrap();
    let invite = MemberChange::of(&*alice, &*eve, MemberAction::Invite { is_direct: false });
    let drafted = rig.rooms.draft_invite(&rig.id, &invite).await.unwrap().unwrap();
    let rules = event::rules(&ruma::RoomVersionId::V11).unwrap();
    assert!(event::verify::is_recommended(&drafted.event, &rules, server("c.test"), &signer(9).public_key()));

    *rig.world.policy.lock() = None;
    let kick = MemberChange::of(&*alice, &*dave, MemberAction::Kick);
    assert!(matches!(change(&rig, kick).await, Err(RoomError::PolicyUnavailable(_))));
    assert!(change(&rig, MemberChange::own(&*dave, MemberAction::Leave)).await.unwrap());
    assert_eq!(membership(&rig, &dave).await, Membership::Leave);
}

#[tokio::test(start_paused = true)]
async fn who_comes_in_through_us_needs_the_policy_server() {
    let rig = guarded().await;
    let memberships = Memberships::new(rig.rooms.clone(), rig.inbound.client.clone(), rig.inbound.checks().clone());
    let take = async |reason: &str| {
        let content = json!({ "membership": "join", "reason": reason });
        let join = rig.event("dave:d.test", "m.room.member", Some("@dave:d.test"), content, None).await;
        let (origin, event) = (server("d.test"), join.json().clone());
        let received = Received { origin, room_id: &rig.id, event_id: &join.event_id, event };
        memberships.take_join(&received, false).await.map(|_| join.event_id.clone())
    };
    let refused = take("spam").await;
    assert!(matches!(refused, Err(MembershipError::Room(RoomError::NotRecommended { .. }))), "{refused:?}");
    let joined = take("tea").await.unwrap();
    assert!(is_signed(&rig, &joined).await);
}

#[tokio::test(start_paused = true)]
async fn delayed_events_are_signed_or_end() {
    let rig = guarded().await;
    let alice = UserId::parse("@alice:a.test").unwrap();
    let mut ends = Vec::new();
    for text in ["hello", "spam"] {
        let content = to_raw_value(&json!({ "msgtype": "m.text", "body": text })).unwrap();
        let draft = Draft::message("m.room.message".into(), content);
        let later = Later { sender: alice.clone(), draft, once: None, delay: 0 };
        let id = rig.rooms.schedule(&rig.id, &later).await.unwrap();
        rig.rooms.send_due().await.unwrap();
        ends.push(rig.rooms.delayed(&rig.db.view(), &alice, &id).await.unwrap().end.unwrap().outcome);
    }
    assert!(matches!(&ends[1], Outcome::Failed { .. }), "{:?}", ends[1]);
    let Outcome::Sent(sent) = &ends[0] else { panic!("{:?}", ends[0]) };
    assert!(is_signed(&rig, sent).await);
}
