//! Replacing rooms: what the new room has of the old one.

use ruma::{OwnedRoomId, RoomVersionId};
use serde_json::{Value, json};

use super::{
    lists::new_room,
    rig::{Rig, raw, user},
};
use crate::{CreateRoom, MemberProfile, RoomError, RoomNum, Upgrade};

impl Rig {
    async fn upgrade(&self, name: &str, version: RoomVersionId) -> crate::Result<(OwnedRoomId, RoomNum)> {
        self.clock.advance(1000);
        let upgrade = Upgrade {
            user: user(name),
            profile: MemberProfile { displayname: Some("A".into()), avatar_url: None },
            version,
            additional_creators: Vec::new(),
        };
        let id = self.rooms.upgrade(&self.id, &upgrade).await?;
        let num = self.rooms.num(&self.rooms.db().view(), &id).await?;
        Ok((id, num))
    }

    async fn content_in(&self, room: RoomNum, kind: &str, key: &str) -> Value {
        let view = self.rooms.db().view();
        let tip = self.rooms.tip(&view, room).await.unwrap();
        let event = self.rooms.state_event(&view, room, tip.state, kind, key).await.unwrap();
        event.map_or(Value::Null, |pdu| serde_json::from_str(pdu.content.get()).unwrap())
    }
}

#[tokio::test]
async fn everything_is_carried_over() {
    for (version, flaky) in [(RoomVersionId::V10, false), (RoomVersionId::V12, false), (RoomVersionId::V12, true)] {
        let rig = if flaky { Rig::flaky().await } else { Rig::new().await };
        let alias = rig.rooms.local_alias("tea").unwrap();
        rig.rooms.create_alias(&alias, &rig.id, &user("alice")).await.unwrap();
        let carried = [
            ("m.room.name", json!({ "name": "Tea" })),
            ("m.room.topic", json!({ "topic": "Leaves" })),
            ("m.room.avatar", json!({ "url": "mxc://hearth.test/a" })),
            ("m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
            ("m.room.server_acl", json!({ "allow": ["*"], "deny": ["evil.test"] })),
            ("m.room.history_visibility", json!({ "history_visibility": "joined" })),
            ("m.room.guest_access", json!({ "guest_access": "can_join" })),
            (
                "m.room.join_rules",
                json!({ "join_rule": "restricted", "allow": [
                { "type": "m.room_membership", "room_id": "!space:hearth.test" }
            ] }),
            ),
            ("m.room.canonical_alias", json!({ "alias": alias })),
        ];
        for (kind, content) in &carried {
            rig.state("alice", kind, "", content).await;
        }
        rig.state("alice", "m.room.member", "@troll:evil.test", &json!({ "membership": "ban", "reason": "spam" }))
            .await;
        rig.rooms.set_published(&rig.id, &user("alice"), true, false).await.unwrap();

        let (id, num) = rig.upgrade("alice", version.clone()).await.unwrap();
        for (kind, content) in &carried {
            assert_eq!(rig.content_in(num, kind, "").await, *content, "{kind}");
        }
        let member = json!({ "membership": "join", "displayname": "A" });
        assert_eq!(rig.content_in(num, "m.room.member", "@alice:hearth.test").await, member);
        let ban = json!({ "membership": "ban", "reason": "spam" });
        assert_eq!(rig.content_in(num, "m.room.member", "@troll:evil.test").await, ban);
        assert_eq!(rig.content_in(num, "m.room.create", "").await["room_version"], version.as_str());

        let tombstone = rig.content("m.room.tombstone", "").await;
        assert_eq!(tombstone["replacement_room"], id.as_str());
        let predecessor = &rig.content_in(num, "m.room.create", "").await["predecessor"];
        assert_eq!(predecessor["room_id"], rig.id.as_str());
        assert_eq!(predecessor.get("event_id").is_some(), version == RoomVersionId::V10);
        assert_eq!(rig.content("m.room.canonical_alias", "").await, json!({}));
        let levels = rig.content("m.room.power_levels", "").await;
        assert_eq!((&levels["events_default"], &levels["invite"]), (&json!(50), &json!(50)));

        let view = rig.rooms.db().view();
        assert_eq!(rig.rooms.alias(&view, &alias).await.unwrap().unwrap().room, id);
        assert_eq!(rig.rooms.aliases(&view, &id).await.unwrap(), std::slice::from_ref(&alias));
        assert!(rig.rooms.aliases(&view, &rig.id).await.unwrap().is_empty());
        assert!(rig.rooms.is_published(&view, &id).await.unwrap());
        assert!(!rig.rooms.is_published(&view, &rig.id).await.unwrap());
    }
}

#[tokio::test]
async fn power_levels_survive_every_way_between_the_versions() {
    for (from, to) in [
        (RoomVersionId::V6, RoomVersionId::V10),
        (RoomVersionId::V10, RoomVersionId::V12),
        (RoomVersionId::V12, RoomVersionId::V11),
        (RoomVersionId::V12, RoomVersionId::V12),
        (RoomVersionId::V1, RoomVersionId::V12),
    ] {
        let rig = Rig::of_version(from.clone()).await;
        rig.join("mod").await;
        let mut levels = rig.content("m.room.power_levels", "").await;
        levels["users"]["@mod:hearth.test"] = json!(50);
        levels["events"]["m.room.name"] = json!(75);
        rig.state("alice", "m.room.power_levels", "", &levels).await;
        let (_, num) = rig.upgrade("alice", to.clone()).await.unwrap();
        let new = rig.content_in(num, "m.room.power_levels", "").await;
        assert_eq!(new["users"]["@mod:hearth.test"], 50, "{from} {to}");
        assert_eq!(new["events"]["m.room.name"], 75);
        let unlimited = to == RoomVersionId::V12;
        assert_eq!(new["users"].get("@alice:hearth.test").is_none(), unlimited);
        let view = rig.rooms.db().view();
        let tip = rig.rooms.tip(&view, num).await.unwrap();
        let power = rig.rooms.power_levels(&view, num, tip.state).await.unwrap();
        assert!(power.user(&user("alice")) >= event::UserPowerLevel::Int(100.into()));
    }
}

#[tokio::test]
async fn who_is_no_admin_has_no_more_power_in_the_new_room() {
    let rig = Rig::of_version(RoomVersionId::V10).await;
    rig.join("mod").await;
    let mut levels = rig.content("m.room.power_levels", "").await;
    levels["users"]["@mod:hearth.test"] = json!(50);
    levels["events"]["m.room.tombstone"] = json!(50);
    rig.state("alice", "m.room.power_levels", "", &levels).await;
    rig.state("alice", "m.room.server_acl", "", &json!({ "allow": ["*"] })).await;
    let (_, num) = rig.upgrade("mod", RoomVersionId::V11).await.unwrap();
    assert_eq!(rig.content_in(num, "m.room.server_acl", "").await, json!({ "allow": ["*"] }));
    let new = rig.content_in(num, "m.room.power_levels", "").await;
    assert_eq!(new["users"], json!({ "@alice:hearth.test": 100, "@mod:hearth.test": 50 }));
}

#[tokio::test]
async fn nothing_happens_without_the_power_to_close_the_room() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    let before = rig.rooms.tip(&rig.rooms.db().view(), rig.num).await.unwrap();
    for version in [RoomVersionId::V11, RoomVersionId::V12] {
        assert!(matches!(rig.upgrade("bob", version.clone()).await, Err(RoomError::Denied(_))));
        assert!(matches!(rig.upgrade("carol", version).await, Err(RoomError::NotJoined)));
    }
    let unknown = rig.upgrade("alice", "99".try_into().unwrap()).await;
    assert!(matches!(unknown, Err(RoomError::UnsupportedVersion(_))));
    assert_eq!(rig.rooms.tip(&rig.rooms.db().view(), rig.num).await.unwrap(), before);
    assert_eq!(rig.rooms.joined_rooms(&rig.rooms.db().view(), &user("bob")).await.unwrap(), [rig.num]);
}

#[tokio::test]
async fn join_rules_that_a_version_does_not_know_become_stricter() {
    let rig = Rig::of_version(RoomVersionId::V10).await;
    rig.state("alice", "m.room.join_rules", "", &json!({ "join_rule": "knock_restricted", "allow": [] })).await;
    let (_, num) = rig.upgrade("alice", RoomVersionId::V9).await.unwrap();
    assert_eq!(rig.content_in(num, "m.room.join_rules", "").await["join_rule"], "restricted");
}

#[tokio::test]
async fn additional_creators_are_checked_and_have_no_level() {
    let rig = Rig::new().await;
    let upgrade = |creators: Vec<ruma::OwnedUserId>| Upgrade {
        user: user("alice"),
        profile: MemberProfile::default(),
        version: RoomVersionId::V12,
        additional_creators: creators,
    };
    let id = rig.rooms.upgrade(&rig.id, &upgrade(vec![user("bob"), user("alice")])).await.unwrap();
    let num = rig.rooms.num(&rig.rooms.db().view(), &id).await.unwrap();
    let create = rig.content_in(num, "m.room.create", "").await;
    assert_eq!(create["additional_creators"], json!(["@bob:hearth.test"]));
}

#[tokio::test]
async fn spaces_link_to_the_new_room() {
    let rig = Rig::of_version(RoomVersionId::V11).await;
    let space = CreateRoom {
        creation_content: serde_json::from_value(json!({ "type": "m.space" })).unwrap(),
        ..new_room("alice")
    };
    let space = rig.rooms.create(&space).await.unwrap();
    let space_num = rig.rooms.num(&rig.rooms.db().view(), &space).await.unwrap();
    let foreign = rig.another("bob").await;
    let link = json!({ "via": ["hearth.test", "other.test"], "order": "x", "suggested": true });
    let draft = event::Draft::state("m.space.child".into(), rig.id.as_str(), raw(&link));
    rig.rooms.send(&space, &crate::Outgoing::new(&user("alice"), draft)).await.unwrap();
    for parent in [&space, &foreign] {
        let content = json!({ "via": ["hearth.test"], "canonical": true });
        rig.state("alice", "m.space.parent", parent.as_str(), &content).await;
    }
    let (id, num) = rig.upgrade("alice", RoomVersionId::V12).await.unwrap();
    let parent = json!({ "via": ["hearth.test"], "canonical": true });
    assert_eq!(rig.content_in(num, "m.space.parent", space.as_str()).await, parent);
    let child = json!({ "via": ["hearth.test"], "order": "x", "suggested": true });
    assert_eq!(rig.content_in(space_num, "m.space.child", id.as_str()).await, child);
    assert_eq!(rig.content_in(space_num, "m.space.child", rig.id.as_str()).await, link);
}

#[tokio::test]
async fn a_replaced_space_keeps_its_children_and_they_name_it() {
    let rig = Rig::new().await;
    let kind = serde_json::from_value(json!({ "type": "m.space" })).unwrap();
    let space = rig.rooms.create(&CreateRoom { creation_content: kind, ..new_room("alice") }).await.unwrap();
    let send = async |room: &OwnedRoomId, kind: &str, key: &OwnedRoomId, content: Value| {
        let draft = event::Draft::state(kind.into(), key.as_str(), raw(&content));
        rig.rooms.send(room, &crate::Outgoing::new(&user("alice"), draft)).await.unwrap();
    };
    send(&space, "m.space.child", &rig.id, json!({ "via": ["hearth.test"] })).await;
    send(&rig.id, "m.space.parent", &space, json!({ "via": ["hearth.test"], "canonical": true })).await;
    let upgrade = Upgrade {
        user: user("alice"),
        profile: MemberProfile::default(),
        version: RoomVersionId::V12,
        additional_creators: Vec::new(),
    };
    let id = rig.rooms.upgrade(&space, &upgrade).await.unwrap();
    let num = rig.rooms.num(&rig.rooms.db().view(), &id).await.unwrap();
    assert_eq!(rig.content_in(num, "m.space.child", rig.id.as_str()).await, json!({ "via": ["hearth.test"] }));
    assert_eq!(rig.content_in(num, "m.room.create", "").await["type"], "m.space");
    let new = json!({ "via": ["hearth.test"], "canonical": true });
    assert_eq!(rig.content("m.space.parent", id.as_str()).await, new);
    assert_eq!(rig.content("m.space.parent", space.as_str()).await["canonical"], false);
}
