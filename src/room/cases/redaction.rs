use ruma::RoomVersionId;
use serde_json::json;

use super::rig::{Rig, user};
use crate::RoomError;

#[tokio::test]
async fn a_redacted_event_loses_its_content_and_says_why_in_every_version() {
    for version in [RoomVersionId::V1, RoomVersionId::V3, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12] {
        let rig = Rig::of_version(version.clone()).await;
        let said = rig.say("alice", "oops").await;
        let redaction = rig.rooms.redact(&rig.id, &user("alice"), &said, Some("typo"), None).await.unwrap();
        let seen = rig.find("alice", &said).await.unwrap();
        assert_eq!(seen["content"], json!({}), "{version}");
        let because = &seen["unsigned"]["redacted_because"];
        assert_eq!(because["event_id"], redaction.as_str(), "{version}");
        assert_eq!((&because["redacts"], &because["content"]["redacts"]), (&json!(said), &json!(said)), "{version}");
        assert_eq!(because["content"]["reason"], "typo", "{version}");
        let (_, row) = rig.row(&said).await;
        assert!(row.event.redacted(), "{version}");
    }
}

#[tokio::test]
async fn a_redaction_that_came_through_send_works_as_well() {
    for version in [RoomVersionId::V10, RoomVersionId::V11] {
        let rig = Rig::of_version(version).await;
        let said = rig.say("alice", "oops").await;
        rig.send("alice", "m.room.redaction", &json!({ "redacts": said })).await;
        assert_eq!(rig.find("alice", &said).await.unwrap()["content"], json!({}));
    }
}

#[tokio::test]
async fn others_events_take_power_and_some_events_stay() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    let hers = rig.say("alice", "mine").await;
    let his = rig.say("bob", "mine too").await;
    let create: ruma::OwnedEventId = rig.all().await.first().unwrap().1.event.event_id().try_into().unwrap();
    let redact = |who, what| {
        let rig = &rig;
        async move { rig.rooms.redact(&rig.id, &user(who), what, None, None).await }
    };
    assert!(matches!(redact("bob", &hers).await, Err(RoomError::Denied(_))));
    assert!(matches!(redact("alice", &create).await, Err(RoomError::Denied(_))));
    redact("alice", &his).await.unwrap();
    assert_eq!(rig.find("bob", &his).await.unwrap()["content"], json!({}));
}

#[tokio::test]
async fn a_redaction_without_right_is_neither_applied_nor_shown() {
    let rig = Rig::new().await;
    rig.join("mallory:other.test").await;
    let said = rig.say("alice", "stays").await;
    let pdu = rig.foreign("mallory:other.test", "m.room.redaction", &json!({ "redacts": said })).await;
    rig.append(&pdu).await;
    assert_eq!(rig.find("alice", &said).await.unwrap()["content"]["body"], "stays");
    assert_eq!(rig.find("alice", &pdu.event_id).await, None);
}

#[tokio::test]
async fn a_redaction_waits_for_its_target() {
    let rig = Rig::new().await;
    rig.join("bob:other.test").await;
    let target = rig.foreign("bob:other.test", "m.room.message", &json!({ "msgtype": "m.text", "body": "late" })).await;
    let redaction = rig.foreign("bob:other.test", "m.room.redaction", &json!({ "redacts": target.event_id })).await;
    rig.append(&redaction).await;
    assert_eq!(rig.find("alice", &redaction.event_id).await, None);
    rig.append(&target).await;
    let seen = rig.find("alice", &target.event_id).await.unwrap();
    assert_eq!(seen["content"], json!({}));
    assert_eq!(seen["unsigned"]["redacted_because"]["event_id"], redaction.event_id.as_str());
    assert!(rig.find("alice", &redaction.event_id).await.is_some());
}

#[tokio::test]
async fn redacted_state_keeps_what_the_rules_need_and_is_read_anew() {
    let rig = Rig::new().await;
    let name = rig.state("alice", "m.room.name", "", &json!({ "name": "secret" })).await;
    let (view, num) = (rig.rooms.db().view(), rig.num);
    let tip = rig.rooms.tip(&view, num).await.unwrap();
    let before = rig.rooms.state_event(&view, num, tip.state, "m.room.name", "").await.unwrap().unwrap();
    assert!(before.content.get().contains("secret"));
    rig.rooms.redact(&rig.id, &user("alice"), &name, None, None).await.unwrap();
    let view = rig.rooms.db().view();
    let after = rig.rooms.state_event(&view, num, tip.state, "m.room.name", "").await.unwrap().unwrap();
    assert_eq!(after.content.get(), "{}");
}
