//! Creating rooms, aliases, the directory, summaries, hierarchies, finding by time.

use std::collections::HashSet;

use ruma::{OwnedRoomId, RoomAliasId, RoomVersionId};
use serde_json::{Map, Value, json};

use super::rig::{Rig, raw, user};
use crate::{
    CreateRoom, Direction, InitialState, MemberProfile, Membership, Preset, RoomError, Viewer,
    directory::DirectoryQuery,
};

pub fn new_room(creator: &str) -> CreateRoom {
    CreateRoom::new(user(creator), Preset::PublicChat)
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

impl Rig {
    /// Another public room.
    pub async fn another(&self, creator: &str) -> OwnedRoomId {
        self.rooms.create(&new_room(creator)).await.unwrap()
    }
}

#[tokio::test]
async fn a_new_room_has_its_events_in_the_order_of_the_specification() {
    for version in [RoomVersionId::V1, RoomVersionId::V6, RoomVersionId::V11, RoomVersionId::V12] {
        let rig = Rig::new().await;
        let new = CreateRoom {
            version: Some(version),
            alias: Some(rig.rooms.local_alias("tea").unwrap()),
            name: Some("Tea".into()),
            topic: Some("Leaves".into()),
            published: true,
            initial_state: vec![InitialState {
                kind: "m.room.guest_access".into(),
                state_key: String::new(),
                content: raw(&json!({ "guest_access": "can_join" })),
            }],
            invites: vec![(user("bob"), MemberProfile::default()), (user("bob"), MemberProfile::default())],
            ..new_room("alice")
        };
        let id = rig.rooms.create(&new).await.unwrap();
        let view = rig.rooms.db().view();
        let num = rig.rooms.num(&view, &id).await.unwrap();
        let page = rig.rooms.timeline(&view, num, crate::Place::MIN, Direction::Forward, 100).await.unwrap();
        let kinds: Vec<_> = page.events.iter().map(|(_, _, row)| row.event.kind().replace("m.room.", "")).collect();
        let expected = "create member power_levels canonical_alias join_rules history_visibility guest_access name \
                        topic member";
        assert_eq!(kinds.join(" "), expected);
        assert_eq!(rig.rooms.membership(&view, &user("bob"), num).await.unwrap(), Membership::Invite);
        let again = rig.rooms.create(&CreateRoom { invites: Vec::new(), ..new }).await;
        assert!(matches!(again, Err(RoomError::AliasInUse(_))));
    }
}

#[tokio::test]
async fn each_preset_gives_what_the_specification_says_in_every_version() {
    let presets = [
        (Preset::PrivateChat, "invite", Value::from("can_join"), false),
        (Preset::TrustedPrivateChat, "invite", Value::from("can_join"), true),
        (Preset::PublicChat, "public", Value::Null, false),
    ];
    for version in [RoomVersionId::V1, RoomVersionId::V6, RoomVersionId::V11, RoomVersionId::V12] {
        let creators_stand_above = version == RoomVersionId::V12;
        for (preset, join_rule, guest_access, trusted) in &presets {
            let rig = Rig::new().await;
            let new = CreateRoom {
                version: Some(version.clone()),
                preset: *preset,
                invites: vec![(user("bob"), MemberProfile::default())],
                power_levels: object(json!({ "invite": 30 })),
                ..new_room("alice")
            };
            let id = rig.rooms.create(&new).await.unwrap();
            let view = rig.rooms.db().view();
            let num = rig.rooms.num(&view, &id).await.unwrap();
            let state = rig.rooms.tip(&view, num).await.unwrap().state;
            let content = async |kind: &str| {
                let event = rig.rooms.state_event(&view, num, state, kind, "").await.unwrap();
                event.map(|pdu| serde_json::from_str::<Value>(pdu.content.get()).unwrap()).unwrap_or_default()
            };
            assert_eq!(content("m.room.join_rules").await["join_rule"], *join_rule);
            assert_eq!(content("m.room.history_visibility").await["history_visibility"], "shared");
            assert_eq!(content("m.room.guest_access").await["guest_access"], *guest_access);
            let levels = content("m.room.power_levels").await;
            assert_eq!((&levels["invite"], &levels["kick"]), (&json!(30), &json!(50)), "one is overridden");
            let expected = match (creators_stand_above, trusted) {
                (true, _) => json!({}),
                (false, false) => json!({ user("alice"): 100 }),
                (false, true) => json!({ user("alice"): 100, user("bob"): 100 }),
            };
            assert_eq!(levels["users"], expected);
            let additional = if creators_stand_above && *trusted { json!([user("bob")]) } else { Value::Null };
            assert_eq!(content("m.room.create").await["additional_creators"], additional);
        }
    }
}

#[tokio::test]
async fn a_request_that_contradicts_itself_creates_nothing() {
    let rig = Rig::flaky().await;
    let bad_state =
        |kind: &str| vec![InitialState { kind: kind.into(), state_key: String::new(), content: raw(&json!({})) }];
    let wrong = [
        CreateRoom { version: Some("99".try_into().unwrap()), ..new_room("alice") },
        CreateRoom { initial_state: bad_state("m.room.create"), ..new_room("alice") },
        CreateRoom { initial_state: bad_state("m.room.member"), ..new_room("alice") },
        CreateRoom { name: Some("x".repeat(256)), ..new_room("alice") },
        CreateRoom { creation_content: object(json!({ "additional_creators": ["bob"] })), ..new_room("alice") },
        CreateRoom { creation_content: object(json!({ "type": 7 })), ..new_room("alice") },
        CreateRoom { power_levels: object(json!({ "users": { "@alice:hearth.test": 100 } })), ..new_room("alice") },
        CreateRoom { power_levels: object(json!({ "events_default": "high" })), ..new_room("alice") },
    ];
    for new in wrong {
        let error = rig.rooms.create(&new).await.unwrap_err();
        let fits =
            matches!(error, RoomError::UnsupportedVersion(_) | RoomError::InvalidState(_) | RoomError::InvalidParam(_));
        assert!(fits, "{error:?}");
    }
    let rooms = rig.rooms.joined_rooms(&rig.rooms.db().view(), &user("alice")).await.unwrap();
    assert_eq!(rooms, [rig.num]);
}

#[tokio::test]
async fn power_levels_of_the_initial_state_take_the_place_of_the_usual_ones() {
    let rig = Rig::new().await;
    let levels = json!({ "users": { "@alice:hearth.test": 100 }, "invite": 77 });
    let state = InitialState { kind: "m.room.power_levels".into(), state_key: String::new(), content: raw(&levels) };
    let new = CreateRoom { version: Some(RoomVersionId::V11), initial_state: vec![state], ..new_room("alice") };
    let id = rig.rooms.create(&new).await.unwrap();
    let view = rig.rooms.db().view();
    let num = rig.rooms.num(&view, &id).await.unwrap();
    let tip = rig.rooms.tip(&view, num).await.unwrap();
    assert_eq!(i64::from(rig.rooms.power_levels(&view, num, tip.state).await.unwrap().invite()), 77);
}

#[tokio::test]
async fn an_alias_is_made_by_members_and_removed_with_its_place_in_the_room() {
    for rig in [Rig::new().await, Rig::flaky().await] {
        rig.join("bob").await;
        let alias = rig.rooms.local_alias("tea").unwrap();
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        assert!(matches!(rig.rooms.create_alias(&alias, &rig.id, &carol).await, Err(RoomError::NotJoined)));
        rig.rooms.create_alias(&alias, &rig.id, &alice).await.unwrap();
        assert!(matches!(rig.rooms.create_alias(&alias, &rig.id, &bob).await, Err(RoomError::AliasInUse(_))));
        let view = rig.rooms.db().view();
        assert_eq!(rig.rooms.alias(&view, &alias).await.unwrap().unwrap().room, rig.id);
        assert_eq!(rig.rooms.aliases(&view, &rig.id).await.unwrap(), std::slice::from_ref(&alias));

        let check = async |content: Value| {
            let view = rig.rooms.db().view();
            rig.rooms.check_canonical_alias(&view, &rig.id, &raw(&content)).await
        };
        check(json!({ "alias": alias, "alt_aliases": [alias] })).await.unwrap();
        assert!(matches!(check(json!({ "alias": "tea" })).await, Err(RoomError::InvalidParam(_))));
        let unknown = json!({ "alt_aliases": ["#no:hearth.test"] });
        assert!(matches!(check(unknown.clone()).await, Err(RoomError::BadAlias(_))));
        rig.state("alice", "m.room.canonical_alias", "", &unknown).await;
        check(unknown).await.unwrap();

        rig.state("alice", "m.room.canonical_alias", "", &json!({ "alias": alias, "x": 1 })).await;
        assert!(matches!(rig.rooms.delete_alias(&alias, &bob, false).await, Err(RoomError::Denied(_))));
        rig.rooms.delete_alias(&alias, &alice, false).await.unwrap();
        assert_eq!(rig.content("m.room.canonical_alias", "").await, json!({ "x": 1 }));
        assert!(matches!(rig.rooms.delete_alias(&alias, &alice, false).await, Err(RoomError::UnknownAlias)));
    }
}

#[tokio::test]
async fn the_creator_of_an_alias_removes_it_though_the_room_still_names_it() {
    let rig = Rig::new().await;
    rig.join("bob").await;
    let alias = rig.rooms.local_alias("tea").unwrap();
    rig.rooms.create_alias(&alias, &rig.id, &user("bob")).await.unwrap();
    rig.state("alice", "m.room.canonical_alias", "", &json!({ "alias": alias })).await;
    rig.rooms.delete_alias(&alias, &user("bob"), false).await.unwrap();
    assert_eq!(rig.content("m.room.canonical_alias", "").await, json!({ "alias": alias }));
    for bad in ["", "a b", "a:b"] {
        assert!(rig.rooms.local_alias(bad).is_err());
    }
    let foreign = RoomAliasId::parse("#tea:other.test").unwrap();
    let made = rig.rooms.create_alias(&foreign, &rig.id, &user("alice")).await;
    assert!(matches!(made, Err(RoomError::InvalidParam(_))));
}

#[tokio::test]
async fn the_directory_lists_the_biggest_first_by_pages_both_ways_and_searches() {
    let rig = Rig::new().await;
    for n in 0..5 {
        let kind = if n == 2 { object(json!({ "type": "m.space" })) } else { Map::new() };
        let new = CreateRoom {
            name: Some(format!("Room {n}")),
            published: true,
            creation_content: kind,
            ..new_room("alice")
        };
        let id = rig.rooms.create(&new).await.unwrap();
        for member in 0..n {
            let name = user(&format!("m{member}"));
            let join = crate::MemberChange::own(name, crate::MemberAction::Join);
            rig.rooms.change_member(&id, &join).await.unwrap();
        }
    }
    let view = rig.rooms.db().view();
    let ask = async |query: DirectoryQuery| rig.rooms.directory(&view, &query).await.unwrap();
    let names = |page: &crate::directory::DirectoryPage| {
        page.rooms.iter().map(|room| room.name.clone().unwrap().replace("Room ", "")).collect::<String>()
    };
    let two = |since: Option<String>| DirectoryQuery { limit: Some(2), since, ..DirectoryQuery::default() };
    let first = ask(two(None)).await;
    assert_eq!((names(&first), first.total, &first.previous), ("43".into(), Some(5), &None));
    let second = ask(two(first.next)).await;
    assert_eq!(names(&second), "21");
    let third = ask(two(second.next)).await;
    assert_eq!((names(&third), &third.next), ("0".into(), &None));
    let back = ask(two(third.previous)).await;
    assert_eq!(names(&back), "21");
    let front = ask(two(back.previous)).await;
    assert_eq!((names(&front), &front.previous), ("43".into(), &None));
    assert_eq!(front.rooms.first().unwrap().num_joined_members, 5);

    let term = DirectoryQuery { term: Some("rOOM 3".into()), ..DirectoryQuery::default() };
    assert_eq!(names(&ask(term).await), "3");
    let spaces = DirectoryQuery { kinds: Some(vec![Some("m.space".into())]), ..DirectoryQuery::default() };
    assert_eq!(names(&ask(spaces).await), "2");
    let plain = DirectoryQuery { kinds: Some(vec![None]), ..DirectoryQuery::default() };
    assert_eq!(names(&ask(plain).await), "4310");
    let bad = DirectoryQuery { since: Some("x".into()), ..DirectoryQuery::default() };
    assert!(matches!(rig.rooms.directory(&view, &bad).await, Err(RoomError::InvalidParam(_))));
}

#[tokio::test]
async fn only_who_may_name_the_room_lists_it() {
    let rig = Rig::flaky().await;
    rig.join("bob").await;
    let listed = async || rig.rooms.is_published(&rig.rooms.db().view(), &rig.id).await.unwrap();
    let denied = rig.rooms.set_published(&rig.id, &user("bob"), true, false).await;
    assert!(matches!(denied, Err(RoomError::Denied(_))));
    assert!(!listed().await);
    rig.rooms.set_published(&rig.id, &user("alice"), true, false).await.unwrap();
    assert!(listed().await);
    rig.rooms.set_published(&rig.id, &user("bob"), false, true).await.unwrap();
    assert!(!listed().await);
}

#[tokio::test]
async fn a_summary_says_what_the_room_says_of_itself() {
    let rig = Rig::new().await;
    rig.state("alice", "m.room.name", "", &json!({ "name": "Tea" })).await;
    rig.state("alice", "m.room.avatar", "", &json!({ "url": "mxc://hearth.test/a" })).await;
    rig.state("alice", "m.room.history_visibility", "", &json!({ "history_visibility": "world_readable" })).await;
    rig.state("alice", "m.room.encryption", "", &json!({ "algorithm": "m.megolm.v1.aes-sha2" })).await;
    let view = rig.rooms.db().view();
    let summary = rig.rooms.summary(&view, rig.num).await.unwrap();
    let expected = json!({
        "room_id": rig.id,
        "name": "Tea",
        "avatar_url": "mxc://hearth.test/a",
        "num_joined_members": 1,
        "join_rule": "public",
        "world_readable": true,
        "guest_can_join": false,
        "encryption": "m.megolm.v1.aes-sha2",
        "room_version": "11",
    });
    assert_eq!(serde_json::to_value(&summary).unwrap(), expected);
}

#[tokio::test]
async fn an_event_is_found_by_its_time() {
    let rig = Rig::new().await;
    let mut sent = Vec::new();
    for n in 0..150 {
        let id = rig.say("alice", &n.to_string()).await;
        sent.push((id, rig.clock.now()));
    }
    let view = rig.rooms.db().view();
    let ignored = HashSet::new();
    let alice = user("alice");
    let viewer = Viewer { user: &alice, device: None, now: 0, ignored: &ignored };
    let at = async |ts, direction| {
        let found = rig.rooms.event_by_time(&view, rig.num, &viewer, ts, direction).await.unwrap();
        found.map(|(_, row)| row.event.event_id().to_owned())
    };
    for (id, ts) in sent.iter().step_by(7) {
        assert_eq!(at(*ts, Direction::Forward).await.as_deref(), Some(id.as_str()));
        assert_eq!(at(*ts, Direction::Backward).await.as_deref(), Some(id.as_str()));
        assert_eq!(at(ts - 500, Direction::Forward).await.as_deref(), Some(id.as_str()));
        assert_eq!(at(ts + 500, Direction::Backward).await.as_deref(), Some(id.as_str()));
    }
    let (last, ts) = sent.last().unwrap();
    assert_eq!(at(u64::MAX / 2, Direction::Backward).await.as_deref(), Some(last.as_str()));
    assert_eq!(at(ts + 1, Direction::Forward).await, None);
    assert!(at(0, Direction::Forward).await.is_some());
    assert_eq!(at(0, Direction::Backward).await, None);
}
