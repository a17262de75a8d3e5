//! Joins, leaves, knocks and invites between two servers, without the requests between them.

use std::sync::Arc;

use event::Pdu;
use kv::Read;
use ruma::{RoomVersionId, events::TimelineEventType, server_name};
use serde_json::{Map, Value, json};

use super::{
    pair::server,
    rig::{Rig, user},
};
use crate::{
    EventNum, MemberAction, MemberChange, Membership, RemoteState, Result, RoomError, Rooms,
    handshake::{Answer, Handshake, Template},
    lookup::rules,
    tables::RELAYS,
};

const VERSIONS: [RoomVersionId; 5] =
    [RoomVersionId::V1, RoomVersionId::V4, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12];

async fn template(rig: &Rig, handshake: Handshake, versions: Option<&[RoomVersionId]>) -> Result<Template> {
    rig.rooms.template(&rig.id, &user("bob:b.test"), server_name!("b.test"), handshake, versions).await
}

fn answered(rig: &Rig, rooms: &Rooms, template: &Template, handshake: Handshake) -> Arc<Pdu> {
    let content = Map::from_iter([("displayname".to_owned(), json!("Bob"))]);
    let bob = user("bob:b.test");
    let answer = Answer { room_id: &rig.id, version: &template.version, user: &bob, handshake, content: &content };
    Arc::new(rooms.from_template(&answer, template.event.get().as_bytes()).unwrap())
}

/// Bob's server does what `handshake` says through the other one.
async fn make(rig: &Rig, rooms: &Rooms, handshake: Handshake) -> (Arc<Pdu>, EventNum) {
    let template = template(rig, handshake, None).await.unwrap();
    let pdu = answered(rig, rooms, &template, handshake);
    let num = rig.rooms.admit(&rig.id, &pdu, server_name!("b.test")).await.unwrap();
    (pdu, num)
}

fn parsed(events: &[bytes::Bytes], version: &RoomVersionId) -> Vec<Arc<Pdu>> {
    let rules = rules(version).unwrap();
    events.iter().map(|json| Arc::new(Pdu::parse(json, &rules).unwrap())).collect()
}

#[tokio::test]
async fn a_server_comes_in_and_goes_in_every_version() {
    for version in VERSIONS {
        let rig = Rig::of_version(version.clone()).await;
        let other = server("b.test", 2, &rig.clock);
        let (join, num) = make(&rig, &other, Handshake::Join).await;
        let view = rig.rooms.db().view();
        assert_eq!(rig.rooms.membership(&view, &join.sender, rig.num).await.unwrap(), Membership::Join);
        let relayed = view.peek(&RELAYS, (rig.num, num)).await.unwrap();
        assert_eq!(relayed.as_deref(), Some("b.test"), "the rest of the room has to hear of it");
        // The answer may have been lost: it is given again.
        assert_eq!(rig.rooms.admit(&rig.id, &join, server_name!("b.test")).await.unwrap(), num);

        let told = rig.rooms.admitted(&view, rig.num, num, true).await.unwrap();
        let remote = RemoteState {
            version: version.clone(),
            state: parsed(&told.state, &version),
            auth_chain: parsed(&told.auth_chain, &version),
        };
        assert!(!remote.state.iter().any(|pdu| pdu.event_id == join.event_id), "the state is that before the join");
        other.install(&rig.id, &remote, &join).await.unwrap();
        assert!(other.takes_part(&other.db().view(), &rig.id).await.unwrap());

        make(&rig, &other, Handshake::Leave).await;
        let view = rig.rooms.db().view();
        assert_eq!(rig.rooms.membership(&view, &join.sender, rig.num).await.unwrap(), Membership::Leave, "{version}");
    }
}

#[tokio::test]
async fn a_server_that_wants_few_members_gets_those_that_the_room_is_called_by() {
    let rig = Rig::new().await;
    for name in ["carol", "dave", "erin", "frank", "grace", "heidi"] {
        rig.join(name).await;
    }
    let other = server("b.test", 2, &rig.clock);
    let members = async |join| {
        let view = rig.rooms.db().view();
        let told = rig.rooms.admitted(&view, rig.num, join, false).await.unwrap();
        let (state, chain) = (parsed(&told.state, &RoomVersionId::V11), parsed(&told.auth_chain, &RoomVersionId::V11));
        assert!(state.iter().any(|pdu| pdu.kind == TimelineEventType::RoomCreate));
        assert!(!chain.iter().any(|pdu| state.iter().any(|other| other.event_id == pdu.event_id)), "said once");
        let members = state.iter().filter(|pdu| pdu.kind == TimelineEventType::RoomMember);
        members.map(|pdu| pdu.sender.to_string()).collect::<Vec<_>>()
    };
    let (join, num) = make(&rig, &other, Handshake::Join).await;
    let heroes = members(num).await;
    assert_eq!(heroes.len(), 5);
    assert!(!heroes.contains(&join.sender.to_string()));
    make(&rig, &other, Handshake::Leave).await;
    rig.state("alice", "m.room.name", "", &json!({ "name": "Name" })).await;
    let (_, num) = make(&rig, &other, Handshake::Join).await;
    assert!(members(num).await.is_empty());
}

#[tokio::test]
async fn templates_say_no_more_than_what_has_to_be_signed() {
    let rig = Rig::of_version(RoomVersionId::V11).await;
    let template = template(&rig, Handshake::Join, Some(&[RoomVersionId::V11])).await.unwrap();
    let event: Value = serde_json::from_str(template.event.get()).unwrap();
    assert_eq!(event["content"], json!({ "membership": "join" }));
    assert_eq!((&event["sender"], &event["state_key"]), (&json!("@bob:b.test"), &json!("@bob:b.test")));
    for key in ["event_id", "hashes", "signatures"] {
        assert!(event.get(key).is_none(), "{key}");
    }
}

#[tokio::test]
async fn what_the_rules_forbid_gets_no_template() {
    let rig = Rig::of_version(RoomVersionId::V11).await;
    let other = template(&rig, Handshake::Join, Some(&[RoomVersionId::V1])).await;
    assert!(matches!(other, Err(RoomError::IncompatibleVersion(RoomVersionId::V11))));
    assert!(matches!(template(&rig, Handshake::Knock, None).await, Err(RoomError::Denied(_))));
    assert!(matches!(template(&rig, Handshake::Leave, None).await, Err(RoomError::Denied(_))));
    rig.state("alice", "m.room.server_acl", "", &json!({ "allow": ["*"], "deny": ["b.test"] })).await;
    assert!(matches!(template(&rig, Handshake::Join, None).await, Err(RoomError::Denied(_))));
}

#[tokio::test]
async fn a_room_that_everybody_left_is_no_longer_given() {
    let rig = Rig::of_version(RoomVersionId::V11).await;
    rig.member("alice", "alice", "leave").await;
    assert!(matches!(template(&rig, Handshake::Join, None).await, Err(RoomError::UnknownRoom)));
}

#[test]
fn a_template_that_makes_no_sense_is_refused() {
    let rooms = server("b.test", 2, &base::Clock::fixed(1));
    let (bob, content) = (user("bob:b.test"), Map::new());
    let id = <&ruma::RoomId>::try_from("!r:a.test").unwrap();
    let make = |version: &RoomVersionId, text: &str| {
        let answer = Answer { room_id: id, version, user: &bob, handshake: Handshake::Join, content: &content };
        rooms.from_template(&answer, text.as_bytes())
    };
    for text in ["", "[]", "{}", r#"{"auth_events":[1],"prev_events":[]}"#, r#"{"auth_events":[],"prev_events":["x"]}"#]
    {
        assert!(matches!(make(&RoomVersionId::V11, text), Err(RoomError::InvalidState(_))), "{text}");
    }
    let many = format!(r#"{{"auth_events":[],"prev_events":[{}]}}"#, vec!["\"$a\""; 21].join(","));
    assert!(matches!(make(&RoomVersionId::V11, &many), Err(RoomError::InvalidState(_))));
    // Versions 1 and 2 need the hashes of what an event refers to.
    assert!(make(&RoomVersionId::V1, r#"{"auth_events":[["$a:b",{}]],"prev_events":[]}"#).is_err());
    let good = r#"{"auth_events":[["$a:b",{"sha256":"x"}]],"prev_events":[],"depth":7}"#;
    assert_eq!(make(&RoomVersionId::V1, good).unwrap().depth, 7);
}

#[tokio::test]
async fn an_invite_is_in_the_room_once_the_other_server_signed_it() {
    for version in VERSIONS {
        let rig = Rig::of_version(version.clone()).await;
        let other = server("b.test", 2, &rig.clock);
        let bob = user("bob:b.test");
        let change = MemberChange::of(user("alice"), &*bob, MemberAction::Invite { is_direct: false });
        let drafted = rig.rooms.draft_invite(&rig.id, &change).await.unwrap().unwrap();
        let now = async || rig.rooms.membership(&rig.rooms.db().view(), &bob, rig.num).await.unwrap();
        assert_eq!(now().await, Membership::Leave, "{version}");
        // The room goes on meanwhile.
        rig.say("alice", "hello").await;
        let signed = Arc::new(other.cosign(&drafted.event, &version).unwrap());
        rig.rooms.add_invite(&drafted, &signed).await.unwrap();
        assert_eq!(now().await, Membership::Invite, "{version}");
        assert!(rig.rooms.draft_invite(&rig.id, &change).await.unwrap().is_none(), "it is so already");

        let change = MemberChange::of(user("alice"), user("eve:b.test"), change.action);
        let another = rig.rooms.draft_invite(&rig.id, &change).await.unwrap().unwrap();
        assert!(matches!(rig.rooms.add_invite(&another, &signed).await, Err(RoomError::InvalidState(_))));
    }
}

#[tokio::test]
async fn an_invite_that_the_room_no_longer_allows_is_not_added() {
    let rig = Rig::of_version(RoomVersionId::V11).await;
    let bob = user("bob:b.test");
    let change = MemberChange::of(user("alice"), &*bob, MemberAction::Invite { is_direct: false });
    let drafted = rig.rooms.draft_invite(&rig.id, &change).await.unwrap().unwrap();
    rig.member("alice", "bob:b.test", "ban").await;
    assert!(matches!(rig.rooms.add_invite(&drafted, &drafted.event).await, Err(RoomError::Denied(_))));
}
