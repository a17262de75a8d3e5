use std::sync::Arc;

use account::{AccountData, Accounts, NewAccount, Permit, Profiles};
use base::Clock;
use event::{Draft, Signer};
use kv::{Db, Engine, flaky::Flaky, memory::Memory};
use room::{CreateRoom, MemberProfile, Membership, Outgoing, Preset, RoomError, Rooms};
use ruma::{OwnedRoomId, OwnedUserId, RoomVersionId, UserId};
use serde_json::{Map, Value, json};

use crate::{FlowError, Flows};

struct Rig {
    flows: Flows,
}

fn user(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:hearth.test")).unwrap()
}

fn create() -> CreateRoom {
    CreateRoom {
        creator: user("alice"),
        profile: MemberProfile::default(),
        version: None,
        creation_content: Map::new(),
        preset: Preset::PublicChat,
        published: false,
        alias: None,
        name: None,
        topic: None,
        power_levels: Map::new(),
        initial_state: Vec::new(),
        invites: Vec::new(),
        is_direct: false,
    }
}

impl Rig {
    async fn on(engine: Arc<dyn Engine>) -> Self {
        let db = Db::new(engine);
        let clock = Clock::fixed(1_700_000_000_000);
        let server: ruma::OwnedServerName = "hearth.test".try_into().unwrap();
        let signer = Signer::new(server.clone(), "ed25519:1".try_into().unwrap(), &[7; 32]);
        let config = account::Config::default();
        let accounts = Accounts::open(db.clone(), clock.clone(), server.clone(), config, Vec::new()).await.unwrap();
        let signer = Arc::new(signer);
        let outbound = outbound::Outbound::new(&outbound::Config::default()).unwrap();
        let config = federation::Config { denied_servers: vec!["denied.test".into()], ..Default::default() };
        let policy = federation::Policy::new(&config);
        let client = federation::Client::new(outbound, signer.clone(), policy, clock.clone());
        let own = federation::OwnKeys::new(signer.clone(), Vec::new());
        let keys = federation::ServerKeys::new(db.clone(), clock.clone(), own, &[], client.clone());
        let checks = federation::inbound::Checks::new(keys, clock.clone());
        let rooms = Rooms::new(db.clone(), clock.clone(), signer, room::Config::default(), 1 << 20, Vec::new());
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
        assert_eq!(rig.member(&rooms[1], "bob").await, json!({ "membership": "invite" }));
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
    assert_eq!(rig.member(&room, "carol").await, json!({ "membership": "invite", "reason": "tea" }));
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
    let new = CreateRoom {
        creator: user("carol"),
        profile: MemberProfile::default(),
        version: None,
        creation_content: content,
        preset: Preset::PublicChat,
        published: false,
        alias: None,
        name: None,
        topic: None,
        power_levels: Map::new(),
        initial_state: Vec::new(),
        invites: Vec::new(),
        is_direct: false,
    };
    let new = rig.flows.create(new, Vec::new()).await.unwrap();
    rig.flows.join(&user("bob"), &new, &[], None, Map::new()).await.unwrap();
    assert!(rig.flows.account_data.tags(&user("bob"), &new).await.unwrap().is_empty());
    let view = rig.flows.rooms.db().view();
    let num = rig.flows.rooms.num(&view, &new).await.unwrap();
    assert_eq!(rig.flows.rooms.membership(&view, &user("bob"), num).await.unwrap(), Membership::Join);
    let nowhere = rig.flows.room_of("#nowhere:hearth.test".try_into().unwrap()).await;
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
        assert_eq!(rig.member(&room, "bob").await, json!({ "membership": "join", "foo": "bar" }));
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
