//! Joining, inviting, leaving, removing, knocking, forgetting.

use ruma::RoomVersionId;
use serde_json::{Value, json};

use super::rig::{Rig, user};
use crate::{MemberAction, MemberChange, MemberProfile, Membership, RoomError};

impl Rig {
    async fn change(&self, sender: &str, target: &str, action: MemberAction) -> crate::Result<bool> {
        self.clock.advance(1000);
        self.rooms.change_member(&self.id, &MemberChange::of(user(sender), user(target), action)).await
    }

    async fn own(&self, name: &str, action: MemberAction) -> crate::Result<bool> {
        self.change(name, name, action).await
    }

    pub async fn membership(&self, name: &str) -> Membership {
        self.rooms.membership(&self.rooms.db().view(), &user(name), self.num).await.unwrap()
    }

    pub async fn content(&self, kind: &str, key: &str) -> Value {
        let view = self.rooms.db().view();
        let tip = self.rooms.tip(&view, self.num).await.unwrap();
        let event = self.rooms.state_event(&view, self.num, tip.state, kind, key).await.unwrap();
        event.map_or(Value::Null, |pdu| serde_json::from_str(pdu.content.get()).unwrap())
    }

    async fn join_rule(&self, content: &Value) {
        self.state("alice", "m.room.join_rules", "", content).await;
    }

    async fn events(&self) -> u64 {
        self.rooms.tip(&self.rooms.db().view(), self.num).await.unwrap().next_event
    }
}

const INVITE: MemberAction = MemberAction::Invite { is_direct: false };

#[tokio::test]
async fn joining_twice_sends_one_event_and_a_new_name_another() {
    for rig in [Rig::new().await, Rig::flaky().await] {
        assert!(rig.own("bob", MemberAction::Join).await.unwrap());
        assert!(!rig.own("bob", MemberAction::Join).await.unwrap());
        let profile = MemberProfile { displayname: Some("Bob".into()), avatar_url: None };
        let change = MemberChange::own(user("bob"), MemberAction::Profile).with_profile(profile);
        assert!(rig.rooms.change_member(&rig.id, &change).await.unwrap());
        assert!(!rig.rooms.change_member(&rig.id, &change).await.unwrap());
        let content = rig.content("m.room.member", "@bob:hearth.test").await;
        assert_eq!(content, json!({ "membership": "join", "displayname": "Bob" }));
        assert_eq!(rig.rooms.tip(&rig.rooms.db().view(), rig.num).await.unwrap().joined, 2);
    }
}

#[tokio::test]
async fn a_private_room_lets_only_the_invited_in() {
    let rig = Rig::new().await;
    rig.join_rule(&json!({ "join_rule": "invite" })).await;
    assert!(matches!(rig.own("bob", MemberAction::Join).await, Err(RoomError::Denied(_))));
    let change = MemberChange::of(user("alice"), user("bob"), MemberAction::Invite { is_direct: true })
        .with_reason(Some("come".into()));
    rig.rooms.change_member(&rig.id, &change).await.unwrap();
    let content = rig.content("m.room.member", "@bob:hearth.test").await;
    assert_eq!(content, json!({ "membership": "invite", "is_direct": true, "reason": "come" }));
    assert!(!rig.rooms.change_member(&rig.id, &change).await.unwrap(), "the same invite again is no event");
    rig.own("bob", MemberAction::Join).await.unwrap();
    assert!(matches!(rig.change("alice", "bob", INVITE).await, Err(RoomError::Denied(_))));
    assert!(matches!(rig.change("carol", "dave", INVITE).await, Err(RoomError::NotJoined)));
}

#[tokio::test]
async fn leaving_rejects_retracts_and_can_be_repeated() {
    let rig = Rig::of_version(RoomVersionId::V12).await;
    assert!(matches!(rig.own("bob", MemberAction::Leave).await, Err(RoomError::NotJoined)));
    rig.change("alice", "bob", INVITE).await.unwrap();
    assert!(rig.own("bob", MemberAction::Leave).await.unwrap());
    assert!(!rig.own("bob", MemberAction::Leave).await.unwrap());
    rig.join_rule(&json!({ "join_rule": "knock" })).await;
    assert!(rig.own("bob", MemberAction::Knock).await.unwrap());
    assert!(!rig.own("bob", MemberAction::Knock).await.unwrap());
    assert_eq!(rig.membership("bob").await, Membership::Knock);
    assert!(rig.own("bob", MemberAction::Leave).await.unwrap());
    assert_eq!(rig.membership("bob").await, Membership::Leave);
}

#[tokio::test]
async fn removing_keeping_out_and_letting_back_in() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    rig.join("carol").await;
    assert!(matches!(rig.change("bob", "carol", MemberAction::Kick).await, Err(RoomError::Denied(_))));
    assert!(matches!(rig.change("alice", "dave", MemberAction::Kick).await, Err(RoomError::Denied(_))));
    assert!(matches!(rig.change("alice", "bob", MemberAction::Unban).await, Err(RoomError::BadState(_))));
    rig.change("alice", "bob", MemberAction::Kick).await.unwrap();
    assert_eq!(rig.membership("bob").await, Membership::Leave);
    assert!(rig.change("alice", "bob", MemberAction::Ban).await.unwrap());
    assert!(!rig.change("alice", "bob", MemberAction::Ban).await.unwrap());
    assert!(matches!(rig.own("bob", MemberAction::Join).await, Err(RoomError::Denied(_))));
    assert!(matches!(rig.own("bob", MemberAction::Leave).await, Err(RoomError::Denied(_))));
    assert!(matches!(rig.change("alice", "bob", MemberAction::Kick).await, Err(RoomError::Denied(_))));
    rig.change("alice", "bob", MemberAction::Unban).await.unwrap();
    rig.own("bob", MemberAction::Join).await.unwrap();
}

#[tokio::test]
async fn a_room_is_forgotten_only_after_leaving_and_remembered_by_a_new_invite() {
    for rig in [Rig::new().await, Rig::flaky().await] {
        let forget = async || rig.rooms.forget(&rig.id, &user("bob")).await;
        let forgotten = async || {
            let view = rig.rooms.db().view();
            rig.rooms.user_room(&view, &user("bob"), rig.num).await.unwrap().unwrap().value.forgotten
        };
        forget().await.unwrap();
        rig.join("bob").await;
        assert!(matches!(forget().await, Err(RoomError::StillInRoom)));
        rig.own("bob", MemberAction::Leave).await.unwrap();
        forget().await.unwrap();
        forget().await.unwrap();
        assert!(forgotten().await);
        rig.change("alice", "bob", INVITE).await.unwrap();
        assert!(!forgotten().await);
    }
}

#[tokio::test]
async fn a_restricted_room_lets_members_of_the_allowed_rooms_in() {
    for (version, rule) in [
        (RoomVersionId::V8, "restricted"),
        (RoomVersionId::V10, "knock_restricted"),
        (RoomVersionId::V12, "restricted"),
    ] {
        let rig = Rig::of_version(version).await;
        let space = rig.another("alice").await;
        let allow = json!([
            { "type": "m.room_membership", "room_id": "!elsewhere:other.test" },
            { "type": "m.room_membership", "room_id": space },
        ]);
        rig.join_rule(&json!({ "join_rule": rule, "allow": allow })).await;
        assert!(matches!(rig.own("bob", MemberAction::Join).await, Err(RoomError::Denied(_))));
        let join = MemberChange::own(user("bob"), MemberAction::Join);
        rig.rooms.change_member(&space, &join).await.unwrap();
        rig.own("bob", MemberAction::Join).await.unwrap();
        let content = rig.content("m.room.member", "@bob:hearth.test").await;
        assert_eq!(content["join_authorised_via_users_server"], "@alice:hearth.test");
        // Being in the room already, nobody has to vouch for a new name.
        let profile = MemberProfile { displayname: Some("B".into()), avatar_url: None };
        rig.rooms.change_member(&rig.id, &join.with_profile(profile)).await.unwrap();
        let content = rig.content("m.room.member", "@bob:hearth.test").await;
        assert_eq!(content, json!({ "membership": "join", "displayname": "B" }));
    }
}

#[tokio::test]
async fn without_a_member_who_may_invite_nobody_can_vouch() {
    let rig = Rig::of_version(RoomVersionId::V10).await;
    let space = rig.another("bob").await;
    let allow = json!([{ "type": "m.room_membership", "room_id": space }]);
    rig.join_rule(&json!({ "join_rule": "restricted", "allow": allow })).await;
    rig.own("alice", MemberAction::Leave).await.unwrap();
    assert!(matches!(rig.own("bob", MemberAction::Join).await, Err(RoomError::UnableToGrant(_))));
    let nowhere = Rig::of_version(RoomVersionId::V10).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": "!elsewhere:other.test" }]);
    nowhere.join_rule(&json!({ "join_rule": "restricted", "allow": allow })).await;
    assert!(matches!(nowhere.own("bob", MemberAction::Join).await, Err(RoomError::UnableToAuthorise(_))));
}

#[tokio::test]
async fn any_member_vouches_where_everybody_may_invite() {
    let rig = Rig::of_version(RoomVersionId::V10).await;
    rig.state(
        "alice",
        "m.room.power_levels",
        "",
        &json!({ "invite": 0, "users": { "@alice:hearth.test": 100 }, "state_default": 50 }),
    )
    .await;
    let space = rig.another("bob").await;
    rig.join("zoe").await;
    let allow = json!([{ "type": "m.room_membership", "room_id": space }]);
    rig.join_rule(&json!({ "join_rule": "restricted", "allow": allow })).await;
    rig.own("alice", MemberAction::Leave).await.unwrap();
    rig.own("bob", MemberAction::Join).await.unwrap();
    let content = rig.content("m.room.member", "@bob:hearth.test").await;
    assert_eq!(content["join_authorised_via_users_server"], "@zoe:hearth.test");
}

#[tokio::test]
async fn a_join_is_one_event_and_members_are_listed_with_their_names() {
    let rig = Rig::new().await;
    for n in 0..40 {
        rig.join(&format!("u{n}")).await;
    }
    let before = rig.events().await;
    rig.own("bob", MemberAction::Join).await.unwrap();
    assert_eq!(rig.events().await, before + 1);
    let view = rig.rooms.db().view();
    let profiles = rig.rooms.joined_profiles(&view, rig.num).await.unwrap();
    assert_eq!(profiles.len(), 42);
    assert_eq!(rig.rooms.joined_rooms(&view, &user("bob")).await.unwrap(), [rig.num]);
}
