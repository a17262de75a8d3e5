use std::sync::Arc;

use account::{AccountData, Accounts, NewAccount, Permit, Profiles};
use base::Clock;
use event::Draft;
use kv::{Db, Engine, flaky::Flaky, memory::Memory};
use room::{
    CreateRoom, HierarchyQuery, Membership, Outgoing, Preset, RoomError,
    rig::{self, user},
};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, RoomVersionId};
use serde_json::{Map, Value, json};

use crate::{FlowError, Flows};

struct Rig {
    flows: Flows,
}

fn create() -> CreateRoom {
    CreateRoom::new(user("alice"), Preset::PublicChat)
}

impl Rig {
    async fn on(engine: Arc<dyn Engine>) -> Self {
        let db = Db::new(engine);
        let clock = rig::clock();
        let server: ruma::OwnedServerName = "hearth.test".try_into().unwrap();
        let signer = rig::signer(server.as_str(), 7);
        let config = account::Config::default();
        let accounts = Accounts::open(db.clone(), clock.clone(), server.clone(), config, Vec::new()).await.unwrap();
        let outbound = outbound::Outbound::new(&outbound::Config::default()).unwrap();
        let config = federation::Config { denied_servers: vec!["denied.test".into()], ..Default::default() };
        let policy = federation::Policy::new(&config);
        let client = federation::Client::new(outbound, signer.clone(), policy, clock.clone());
        let own = federation::OwnKeys::new(signer.clone(), Vec::new());
        let keys = federation::ServerKeys::new(db.clone(), clock.clone(), own, &[], client.clone());
        let checks = federation::inbound::Checks::new(keys, clock.clone());
        let rooms = rig::rooms_of(&db, &clock, signer, Vec::new());
        let dir = tempfile::tempdir().unwrap();
        let media = media::Media::open(db.clone(), clock, server, dir.path(), media::Config::default()).unwrap();
        let post = appservice::Post::new().unwrap();
        let appservices =
            appservice::Appservices::new(db.clone(), Clock::default(), accounts.clone(), post, Vec::new());
        let flows = Flows {
            appservices,
            media,
            memberships: federation::Memberships::new(rooms.clone(), client.clone(), checks),
            spaces: crate::Spaces::default(),
            profiles: Profiles::new(db.clone()),
            account_data: AccountData::new(db.clone()),
            federation: client,
            rules: push::Rules::new(db, rooms.clone()),
            notices: crate::Notices::default(),
            accounts,
            rooms,
        };
        let rig = Self { flows };
        for name in ["alice", "bob", "carol"] {
            let permit = Permit::Operator { admin: false };
            let new = NewAccount { name: Some(name.into()), phc: None, permit, device: None };
            rig.flows.accounts.register(&new).await.unwrap();
        }
        rig
    }

    async fn room(&self, invites: &[&str]) -> Result<OwnedRoomId, FlowError> {
        self.flows.create(create(), invites.iter().map(|name| user(name)).collect()).await
    }

    async fn member(&self, room: &OwnedRoomId, name: &str) -> Value {
        let view = self.flows.rooms.db().view();
        let num = self.flows.rooms.num(&view, room).await.unwrap();
        let tip = self.flows.rooms.tip(&view, num).await.unwrap();
        let kind = "m.room.member";
        let event = self.flows.rooms.state_event(&view, num, tip.state, kind, user(name).as_str()).await.unwrap();
        event.map_or(Value::Null, |pdu| serde_json::from_str(pdu.content.get()).unwrap())
    }
}

async fn rigs() -> [Rig; 2] {
    [Rig::on(Memory::new()).await, Rig::on(Flaky::new(Memory::new())).await]
}

#[tokio::test]
async fn a_new_name_and_picture_are_in_all_rooms_of_their_user() {
    for rig in rigs().await {
        let rooms = [rig.room(&[]).await.unwrap(), rig.room(&["bob"]).await.unwrap()];
        rig.flows.set_profile(&user("alice"), "displayname", Some(json!("Alice"))).await.unwrap();
        rig.flows.set_profile(&user("alice"), "avatar_url", Some(json!("mxc://hearth.test/a"))).await.unwrap();
        rig.flows.set_profile(&user("alice"), "org.example", Some(json!(1))).await.unwrap();
        rig.flows.set_profile(&user("bob"), "displayname", Some(json!("Bob"))).await.unwrap();
        for room in &rooms {
            let expected = json!({ "membership": "join", "displayname": "Alice", "avatar_url": "mxc://hearth.test/a" });
            assert_eq!(rig.member(room, "alice").await, expected);
        }
        assert_eq!(rig.member(&rooms[1], "bob").await, json!({ "membership": "invite", "displayname": "bob" }));
        rig.flows.join(&user("bob"), &rooms[1], &[], None, Map::new()).await.unwrap();
        assert_eq!(rig.member(&rooms[1], "bob").await["displayname"], "Bob");
        rig.flows.set_profile(&user("alice"), "displayname", None).await.unwrap();
        assert!(rig.member(&rooms[0], "alice").await.get("displayname").is_none());
    }
}

#[tokio::test]
async fn a_deactivated_user_has_left_everything() {
    for rig in rigs().await {
        let joined = rig.room(&[]).await.unwrap();
        let invited = rig.room(&["bob"]).await.unwrap();
        rig.flows.join(&user("bob"), &joined, &[], None, Map::new()).await.unwrap();
        rig.flows.deactivate(&user("bob"), false).await.unwrap();
        for room in [&joined, &invited] {
            assert_eq!(rig.member(room, "bob").await, json!({ "membership": "leave" }));
        }
        assert!(!rig.flows.accounts.is_active(&user("bob")).await.unwrap());
    }
}

#[tokio::test]
async fn who_blocks_invites_gets_none() {
    let rig = Rig::on(Memory::new()).await;
    let room = rig.room(&[]).await.unwrap();
    let config = json!({ "default_action": "block" }).to_string();
    rig.flows.account_data.set(&user("bob"), None, "m.invite_permission_config", &config).await.unwrap();
    let invited = rig.flows.invite(&user("alice"), &room, &user("bob"), None).await;
    assert!(matches!(invited, Err(FlowError::InviteBlocked)));
    assert!(matches!(rig.room(&["carol", "bob"]).await, Err(FlowError::InviteBlocked)));
    let unknown = rig.flows.invite(&user("alice"), &room, &user("nobody"), None).await;
    assert!(matches!(unknown, Err(FlowError::UnknownUser)));
    let remote: OwnedUserId = "@bob:denied.test".try_into().unwrap();
    let remote = rig.flows.invite(&user("alice"), &room, &remote, None).await;
    assert!(matches!(remote, Err(FlowError::Unfederated)));
    rig.flows.invite(&user("alice"), &room, &user("carol"), Some("tea".into())).await.unwrap();
    let invited = json!({ "membership": "invite", "displayname": "carol", "reason": "tea" });
    assert_eq!(rig.member(&room, "carol").await, invited);
}

#[tokio::test]
async fn what_a_user_set_for_a_room_goes_on_in_its_replacement() {
    for rig in rigs().await {
        let (alice, bob) = (user("alice"), user("bob"));
        let old = rig.room(&[]).await.unwrap();
        rig.flows.join(&bob, &old, &[], None, Map::new()).await.unwrap();
        let data = &rig.flows.account_data;
        for name in [&alice, &bob] {
            data.set_tag(name, &old, "m.favourite", &Map::new()).await.unwrap();
        }
        data.set(&bob, None, "m.direct", &json!({ "@alice:hearth.test": [old] }).to_string()).await.unwrap();
        let rule = ruma::push::NewSimplePushRule::new(old.clone(), Vec::new());
        rig.flows.rules.put(&bob, ruma::push::NewPushRule::Room(rule), None, None).await.unwrap();
        let condition = ruma::push::EventMatchConditionData::new("room_id".into(), old.to_string());
        let muted = ruma::push::NewConditionalPushRule::new(old.to_string(), vec![condition.into()], Vec::new());
        rig.flows.rules.put(&bob, ruma::push::NewPushRule::Override(muted), None, None).await.unwrap();

        let new = rig.flows.upgrade(&alice, &old, RoomVersionId::V11, Vec::new()).await.unwrap();
        assert!(data.tags(&alice, &new).await.unwrap().contains_key("m.favourite"));
        assert!(data.tags(&bob, &new).await.unwrap().is_empty());
        rig.flows.join(&bob, &new, &[], None, Map::new()).await.unwrap();
        assert!(data.tags(&bob, &new).await.unwrap().contains_key("m.favourite"));
        let direct: Value = serde_json::from_str(&data.get(&bob, None, "m.direct").await.unwrap().unwrap()).unwrap();
        assert_eq!(direct, json!({ "@alice:hearth.test": [old, new] }));
        let rules = rig.flows.rules.of(&bob).await.unwrap();
        assert!(rules.room.iter().any(|rule| rule.rule_id == new));
        assert!(rules.override_.iter().any(|rule| rule.rule_id == new.as_str()));
    }
}

#[tokio::test]
async fn a_room_that_only_claims_to_replace_another_changes_nothing() {
    let rig = Rig::on(Memory::new()).await;
    let old = rig.room(&[]).await.unwrap();
    rig.flows.join(&user("bob"), &old, &[], None, Map::new()).await.unwrap();
    rig.flows.account_data.set_tag(&user("bob"), &old, "m.favourite", &Map::new()).await.unwrap();
    let content: Map<_, _> = Map::from_iter([("predecessor".into(), json!({ "room_id": old }))]);
    let new = CreateRoom { creation_content: content, ..CreateRoom::new(user("carol"), Preset::PublicChat) };
    let new = rig.flows.create(new, Vec::new()).await.unwrap();
    rig.flows.join(&user("bob"), &new, &[], None, Map::new()).await.unwrap();
    assert!(rig.flows.account_data.tags(&user("bob"), &new).await.unwrap().is_empty());
    let view = rig.flows.rooms.db().view();
    let num = rig.flows.rooms.num(&view, &new).await.unwrap();
    assert_eq!(rig.flows.rooms.membership(&view, &user("bob"), num).await.unwrap(), Membership::Join);
    let nowhere = rig.flows.place_of("#nowhere:hearth.test".try_into().unwrap(), Vec::new()).await;
    assert!(matches!(nowhere, Err(FlowError::Room(RoomError::UnknownAlias))));
}

#[tokio::test]
async fn people_are_found_in_common_and_in_public_rooms_only() {
    for rig in rigs().await {
        let find = async |by: &str, term: &str| {
            let found = rig.flows.find_people(&user(by), term, 10).await.unwrap();
            found.people.iter().map(|person| person.user.localpart().to_owned()).collect::<Vec<_>>()
        };
        assert!(find("carol", "alice").await.is_empty());
        let new = |preset| CreateRoom { preset, ..create() };
        let hidden = rig.flows.create(new(Preset::PrivateChat), vec![user("bob")]).await.unwrap();
        assert!(find("bob", "alice").await.is_empty(), "an invite is no common room");
        rig.flows.join(&user("bob"), &hidden, &[], None, Map::new()).await.unwrap();
        assert_eq!(find("bob", "alice").await, ["alice"]);
        assert!(find("carol", "alice").await.is_empty());
        rig.flows.create(new(Preset::PublicChat), Vec::new()).await.unwrap();
        assert_eq!(find("carol", "alice").await, ["alice"]);
        assert!(find("carol", "bob").await.is_empty());
        assert!(find("alice", "alice").await.is_empty(), "nobody finds themselves");
        let none = rig.flows.find_people(&user("carol"), "alice", 0).await.unwrap();
        assert_eq!((none.people.len(), none.limited), (0, true));
    }
}

#[tokio::test]
async fn a_join_carries_what_its_user_adds_and_no_more() {
    for rig in rigs().await {
        let room = rig.room(&[]).await.unwrap();
        let extra = json!({ "foo": "bar", "displayname": "Fake", "membership": "ban", "reason": 7 });
        let Value::Object(extra) = extra else { unreachable!() };
        rig.flows.join(&user("bob"), &room, &[], None, extra).await.unwrap();
        assert_eq!(rig.member(&room, "bob").await, json!({ "membership": "join", "displayname": "bob", "foo": "bar" }));
    }
}

#[tokio::test]
async fn who_replaces_a_room_by_hand_keeps_what_they_set() {
    for rig in rigs().await {
        let alice = user("alice");
        let old = rig.room(&[]).await.unwrap();
        rig.flows.account_data.set_tag(&alice, &old, "m.favourite", &Map::new()).await.unwrap();
        let content = Map::from_iter([("predecessor".into(), json!({ "room_id": old }))]);
        let new = rig.flows.create(CreateRoom { creation_content: content, ..create() }, Vec::new()).await.unwrap();
        rig.flows.follow_tombstone(&old).await.unwrap();
        assert!(rig.flows.account_data.tags(&alice, &new).await.unwrap().is_empty());
        let content = json!({ "body": "moved", "replacement_room": new }).to_string();
        let content = serde_json::value::RawValue::from_string(content).unwrap();
        let tombstone = Outgoing::new(&alice, Draft::state("m.room.tombstone".into(), "", content));
        rig.flows.rooms.send(&old, &tombstone).await.unwrap();
        rig.flows.follow_tombstone(&old).await.unwrap();
        assert!(rig.flows.account_data.tags(&alice, &new).await.unwrap().contains_key("m.favourite"));
    }
}

#[tokio::test]
async fn a_hierarchy_goes_depth_first_through_what_the_user_may_see() {
    let rig = Rig::on(Memory::new()).await;
    let made = async |new: CreateRoom| rig.flows.create(new, Vec::new()).await.unwrap();
    let space = || CreateRoom { creation_content: Map::from_iter([("type".into(), json!("m.space"))]), ..create() };
    let (root, below, a, b) = (made(space()).await, made(space()).await, made(create()).await, made(create()).await);
    let hidden = made(CreateRoom { preset: Preset::PrivateChat, ..create() }).await;
    let gone = made(create()).await;
    let link = async |from: &OwnedRoomId, to: &OwnedRoomId, content: Value| {
        let content = serde_json::value::RawValue::from_string(content.to_string()).unwrap();
        let link = Outgoing::new(&user("alice"), Draft::state("m.space.child".into(), to.as_str(), content));
        rig.flows.rooms.send(from, &link).await.unwrap();
    };
    let via = json!(["hearth.test"]);
    link(&root, &a, json!({ "via": via })).await;
    link(&root, &below, json!({ "via": via, "order": "a", "suggested": true })).await;
    link(&root, &hidden, json!({ "via": via })).await;
    link(&below, &b, json!({ "via": via, "suggested": true })).await;
    link(&below, &root, json!({ "via": via })).await;
    link(&root, &gone, json!({})).await;

    let bob = user("bob");
    let ids = async |query: HierarchyQuery| {
        let (rooms, next) = rig.flows.hierarchy(&bob, &root, &query).await.unwrap();
        (rooms.iter().map(|room| room["room_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), next)
    };
    let all = HierarchyQuery::default();
    assert_eq!(ids(all.clone()).await.0, [&root, &below, &b, &a].map(ToString::to_string));
    let (rooms, _) = rig.flows.hierarchy(&bob, &root, &all).await.unwrap();
    assert_eq!(rooms[0]["children_state"].as_array().unwrap().len(), 3, "removed children are not listed");
    let shallow = HierarchyQuery { max_depth: Some(1), ..all.clone() };
    assert_eq!(ids(shallow).await.0, [&root, &below, &a].map(ToString::to_string));
    let suggested = HierarchyQuery { suggested_only: true, ..all.clone() };
    assert_eq!(ids(suggested).await.0, [&root, &below, &b].map(ToString::to_string));

    let (first, next) = ids(HierarchyQuery { limit: Some(3), ..all.clone() }).await;
    assert_eq!(first, [&root, &below, &b].map(ToString::to_string));
    let rest = HierarchyQuery { limit: Some(3), from: next.clone(), ..all.clone() };
    assert_eq!(ids(rest).await, (vec![a.to_string()], None));
    let refused =
        async |by: &str, root: &RoomId, query| rig.flows.hierarchy(&user(by), root, &query).await.unwrap_err();
    let changed = HierarchyQuery { from: next, max_depth: Some(1), ..all.clone() };
    assert!(matches!(refused("bob", &root, changed).await, FlowError::Room(RoomError::InvalidParam(_))));
    assert!(matches!(refused("bob", &hidden, all.clone()).await, FlowError::Room(RoomError::Denied(_))));
    assert!(rig.flows.hierarchy(&user("alice"), &hidden, &all).await.is_ok());
}

#[tokio::test]
async fn a_profile_that_did_not_reach_a_room_does_when_it_is_set_again() {
    let rig = Rig::on(Memory::new()).await;
    let room = rig.room(&[]).await.unwrap();
    rig.flows.profiles.set(&user("alice"), "displayname", Some(json!("Alice"))).await.unwrap();
    assert_eq!(rig.member(&room, "alice").await["displayname"], "alice");
    rig.flows.set_profile(&user("alice"), "displayname", Some(json!("Alice"))).await.unwrap();
    assert_eq!(rig.member(&room, "alice").await["displayname"], "Alice");
}

#[tokio::test]
async fn an_alias_of_another_server_must_be_known_there_to_be_named() {
    let rig = Rig::on(Memory::new()).await;
    let room = rig.room(&[]).await.unwrap();
    let named = async |by: &str, aliases: Value| {
        let content = json!({ "alt_aliases": aliases }).to_string();
        let content = serde_json::value::RawValue::from_string(content).unwrap();
        rig.flows.check_canonical_alias(&user(by), &room, &content).await
    };
    let denied = named("alice", json!(["#tea:denied.test"])).await;
    assert!(matches!(denied, Err(FlowError::Room(RoomError::BadAlias(_)))));
    let many: Vec<_> = (0..50).map(|n| format!("#tea{n}:denied.test")).collect();
    assert!(matches!(named("alice", json!(many)).await, Err(FlowError::Room(RoomError::InvalidParam(_)))));
    assert!(matches!(named("carol", json!([])).await, Err(FlowError::Room(RoomError::NotJoined))));
    named("alice", json!([])).await.unwrap();
}

#[tokio::test]
async fn a_marker_never_moves_back() {
    for rig in rigs().await {
        let room = rig.room(&[]).await.unwrap();
        let mut sent = Vec::new();
        for name in ["a", "b"] {
            let content = serde_json::value::RawValue::from_string(json!({ "name": name }).to_string()).unwrap();
            let out = Outgoing::new(&user("alice"), Draft::state("m.room.name".into(), "", content));
            sent.push(rig.flows.rooms.send(&room, &out).await.unwrap());
        }
        for event in sent.iter().rev() {
            rig.flows.set_marker(&user("alice"), &room, event).await.unwrap();
        }
        let kept = rig.flows.account_data.get(&user("alice"), Some(&room), "m.fully_read").await.unwrap().unwrap();
        assert_eq!(kept, json!({ "event_id": sent[1] }).to_string());
        let stranger = rig.flows.set_marker(&user("carol"), &room, &sent[1]).await;
        assert!(matches!(stranger, Err(FlowError::Room(RoomError::NotJoined))));
    }
}
