use std::collections::HashSet;

use serde_json::json;

use super::rig::{Rig, user};
use crate::Viewer;

async fn set(rig: &Rig, visibility: &str) {
    rig.state("alice", "m.room.history_visibility", "", &json!({ "history_visibility": visibility })).await;
}

/// alice speaks before and after every change of bob's membership.
async fn story(visibility: &str) -> Rig {
    let rig = Rig::new().await;
    set(&rig, visibility).await;
    rig.say("alice", "before").await;
    rig.member("alice", "bob", "invite").await;
    rig.say("alice", "invited").await;
    rig
}

#[tokio::test]
async fn each_setting_shows_what_it_promises_at_each_point_of_a_membership() {
    // Seen by bob while invited, while joined, after leaving, after joining again; by carol, who never came.
    let everything = "before invited joined left";
    let table = [
        (
            "world_readable",
            "before invited",
            "before invited joined",
            everything,
            "before invited joined left again",
            everything,
        ),
        ("shared", "", "before invited joined", "before invited joined", "before invited joined left again", ""),
        ("nonsense", "", "before invited joined", "before invited joined", "before invited joined left again", ""),
        ("invited", "invited", "invited joined", "invited joined", "invited joined again", ""),
        ("joined", "", "joined", "joined", "joined again", ""),
    ];
    for (visibility, invited, joined, left, again, stranger) in table {
        let rig = story(visibility).await;
        assert_eq!(rig.heard("bob").await.join(" "), invited, "{visibility}, invited");
        rig.join("bob").await;
        rig.say("alice", "joined").await;
        assert_eq!(rig.heard("bob").await.join(" "), joined, "{visibility}, joined");
        rig.member("bob", "bob", "leave").await;
        rig.say("alice", "left").await;
        assert_eq!(rig.heard("bob").await.join(" "), left, "{visibility}, left");
        assert_eq!(rig.heard("carol").await.join(" "), stranger, "{visibility}, never there");
        rig.join("bob").await;
        rig.say("alice", "again").await;
        assert_eq!(rig.heard("bob").await.join(" "), again, "{visibility}, joined again");
        assert_eq!(rig.heard("alice").await.join(" "), "before invited joined left again");
    }
}

#[tokio::test]
async fn somebody_who_left_sees_how_they_left_and_nothing_after() {
    let rig = story("joined").await;
    rig.join("bob").await;
    let leave = rig.member("alice", "bob", "leave").await;
    rig.state("alice", "m.room.name", "", &json!({ "name": "later" })).await;
    let seen = rig.seen("bob").await;
    assert_eq!(seen.last().unwrap()["event_id"], leave.as_str());
    assert_eq!(seen.last().unwrap()["unsigned"]["membership"], "leave");
}

#[tokio::test]
async fn who_declined_an_invite_sees_that_and_no_history() {
    let rig = story("shared").await;
    let leave = rig.member("bob", "bob", "leave").await;
    let seen = rig.seen("bob").await;
    assert_eq!(seen.iter().map(|event| event["event_id"].as_str().unwrap()).collect::<Vec<_>>(), [leave.as_str()]);
}

#[tokio::test]
async fn who_declined_to_come_back_reads_the_room_as_they_left_it() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    rig.state("alice", "m.room.name", "", &json!({ "name": "then" })).await;
    rig.member("bob", "bob", "leave").await;
    rig.state("alice", "m.room.name", "", &json!({ "name": "later" })).await;
    rig.member("alice", "bob", "invite").await;
    rig.member("bob", "bob", "leave").await;
    rig.member("alice", "bob", "ban").await;
    let view = rig.rooms.db().view();
    let access = rig.rooms.access(&view, &user("bob"), &rig.id).await.unwrap();
    let (_, name) = rig.rooms.state_row(&view, rig.num, access.state, "m.room.name", "").await.unwrap();
    assert_eq!(name.event.content(), r#"{"name":"then"}"#);
    let (_, member) =
        rig.rooms.state_row(&view, rig.num, access.state, "m.room.member", "@bob:hearth.test").await.unwrap();
    assert_eq!(member.meta.place, Some(access.until));
    assert!(rig.rooms.access(&view, &user("carol"), &rig.id).await.is_err());
}

#[tokio::test]
async fn who_forgot_a_room_finds_none_of_its_events() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    let id = rig.say("alice", "hi").await;
    rig.member("bob", "bob", "leave").await;
    let bob = user("bob");
    let found = async || {
        let ignored = HashSet::new();
        let viewer = Viewer { user: &bob, device: None, now: 0, ignored: &ignored };
        rig.rooms.visible_event(&rig.rooms.db().view(), &viewer, &rig.id, &id).await.is_ok()
    };
    assert!(found().await);
    rig.rooms.forget(&rig.id, &bob).await.unwrap();
    assert!(!found().await);
    set(&rig, "world_readable").await;
    let open = rig.say("alice", "to all").await;
    let viewer = Viewer { user: &bob, device: None, now: 0, ignored: &HashSet::new() };
    assert!(rig.rooms.visible_event(&rig.rooms.db().view(), &viewer, &rig.id, &open).await.is_ok());
}

#[tokio::test]
async fn a_change_of_visibility_is_seen_from_either_side() {
    let rig = Rig::new().await;
    set(&rig, "joined").await;
    let opened =
        rig.state("alice", "m.room.history_visibility", "", &json!({ "history_visibility": "world_readable" })).await;
    rig.say("alice", "open").await;
    let closed = rig.state("alice", "m.room.history_visibility", "", &json!({ "history_visibility": "joined" })).await;
    rig.say("alice", "closed").await;
    let seen: Vec<_> = rig.seen("carol").await;
    let ids: Vec<_> = seen.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert_eq!((ids.first(), ids.last(), ids.len()), (Some(&opened.as_str()), Some(&closed.as_str()), 3));
}

#[tokio::test]
async fn messages_of_ignored_users_are_left_out_and_their_state_is_not() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    rig.say("bob", "noise").await;
    let seen = rig.seen_ignoring("alice", &["bob", "alice"]).await;
    assert!(seen.iter().all(|event| event["content"]["body"].is_null()));
    assert!(seen.iter().any(|event| event["sender"] == "@bob:hearth.test"));
}

#[tokio::test]
async fn unsigned_says_how_old_an_event_is_what_it_replaced_and_who_was_there() {
    let rig = Rig::flaky().await;
    let old = rig.state("alice", "m.room.name", "", &json!({ "name": "old" })).await;
    let new = rig.state("alice", "m.room.name", "", &json!({ "name": "new" })).await;
    let sent = rig.send_once("alice", "DEVICE", "hi", "a \"quoted\" id").await;
    rig.join("bob").await;
    rig.clock.advance(500);
    let unsigned = rig.find("alice", &new).await.unwrap()["unsigned"].clone();
    assert_eq!(unsigned["replaces_state"], old.as_str());
    assert_eq!(unsigned["prev_content"], json!({ "name": "old" }));
    assert_eq!(unsigned["prev_sender"], "@alice:hearth.test");
    assert_eq!(unsigned["membership"], "join");
    assert_eq!(unsigned["age"], 2500);
    let own = rig.find("alice", &sent).await.unwrap()["unsigned"].clone();
    assert_eq!(own["transaction_id"], "a \"quoted\" id");
    let other = rig.find("bob", &sent).await.unwrap()["unsigned"].clone();
    assert_eq!((other.get("transaction_id"), &other["membership"]), (None, &json!("leave")));
}

#[tokio::test]
async fn a_transaction_id_goes_to_no_other_device() {
    let rig = Rig::new().await;
    let sent = rig.send_once("alice", "OTHER", "hi", "1").await;
    assert_eq!(rig.find("alice", &sent).await.unwrap()["unsigned"].get("transaction_id"), None);
}
