//! Which members a client is told of, and by whom a room is called.

use super::*;

impl Rig {
    /// A sync of a device that wants members lazy-loaded, the newest two events of a room.
    async fn lazy(&self, since: Option<&str>, redundant: bool) -> Value {
        let state = json!({ "lazy_load_members": true, "include_redundant_members": redundant });
        let filter = json!({ "room": { "state": state, "timeline": { "limit": 2 } } });
        let request = Request {
            device: Some("PHONE".into()),
            wants: Wants::new(&serde_json::from_value(filter).unwrap()),
            ..request("alice", since)
        };
        serde_json::from_slice(&self.sync.sync(&request).await.unwrap()).unwrap()
    }

    async fn set(&self, room: &OwnedRoomId, kind: &str, content: Value) {
        let out = Outgoing::new(&user("alice"), Draft::state(kind.into(), "", raw(&content)));
        self.rooms.send(room, &out).await.unwrap();
    }
}

/// Members in the state of a room, with what they are.
fn members(response: &Value, room: &OwnedRoomId) -> Vec<(String, String)> {
    let state = response["rooms"]["join"][room.as_str()]["state"]["events"].as_array().cloned().unwrap_or_default();
    let members = state.iter().filter(|event| event["type"] == "m.room.member");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut members: Vec<_> =
        members.map(|event| (text(&event["state_key"]), text(&event["content"]["membership"]))).collect();
    members.sort();
    members
}

fn told(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, membership)| (user(name).to_string(), (*membership).to_owned())).collect()
}

#[tokio::test]
async fn memberships_that_changed_in_a_gap_are_told_to_who_loads_members_lazily() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    for name in ["bob", "carol", "dora"] {
        rig.member(&room, name, MemberAction::Join).await;
    }
    let since = token(&rig.lazy(None, false).await);
    rig.member(&room, "bob", MemberAction::Leave).await;
    for text in ["1", "2", "3"] {
        rig.say(&room, "carol", text).await;
    }
    let news = rig.lazy(Some(&since), false).await;
    assert_eq!(news["rooms"]["join"][room.as_str()]["timeline"]["limited"], true);
    // Bob, who says nothing: keys of messages would go to him still.
    assert_eq!(members(&news, &room), told(&[("bob", "leave")]));
}

#[tokio::test]
async fn a_member_who_speaks_again_is_not_told_again_unless_that_is_asked_for_or_got_lost() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    for name in ["bob", "carol", "dora", "emil", "fred", "gero"] {
        rig.member(&room, name, MemberAction::Join).await;
    }
    rig.set(&room, "m.room.name", json!({ "name": "Tea" })).await;
    rig.say(&room, "alice", "0").await;
    let start = token(&rig.lazy(None, false).await);
    rig.say(&room, "bob", "1").await;
    let first = rig.lazy(Some(&start), false).await;
    assert_eq!(members(&first, &room), told(&[("bob", "join")]));
    let again = rig.lazy(Some(&start), false).await;
    assert_eq!(members(&again, &room), told(&[("bob", "join")]), "the answer may have been lost");
    rig.say(&room, "bob", "2").await;
    let second = rig.lazy(Some(&token(&first)), false).await;
    assert_eq!(members(&second, &room), told(&[]));
    let redundant = rig.lazy(Some(&token(&first)), true).await;
    assert_eq!(members(&redundant, &room), told(&[("bob", "join")]));
    let named = MemberProfile { displayname: Some("Bob".into()), ..MemberProfile::default() };
    let renamed = MemberChange::own(user("bob"), MemberAction::Join).with_profile(named);
    rig.rooms.change_member(&room, &renamed).await.unwrap();
    rig.say(&room, "carol", "3").await;
    rig.say(&room, "bob", "4").await;
    let third = rig.lazy(Some(&token(&second)), false).await;
    assert_eq!(members(&third, &room), told(&[("bob", "join"), ("carol", "join")]), "another event says it");
    assert_eq!(
        members(&rig.lazy(None, false).await, &room),
        told(&[("alice", "join"), ("bob", "join"), ("carol", "join")])
    );
}

#[tokio::test]
async fn a_member_of_whom_only_a_lost_answer_told_is_told_again() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    for name in ["bob", "carol", "dora", "emil"] {
        rig.member(&room, name, MemberAction::Join).await;
    }
    rig.set(&room, "m.room.name", json!({ "name": "Tea" })).await;
    rig.say(&room, "alice", "0").await;
    let start = token(&rig.lazy(None, false).await);
    rig.say(&room, "bob", "1").await;
    assert_eq!(members(&rig.lazy(Some(&start), false).await, &room), told(&[("bob", "join")]));
    for text in ["2", "3", "4"] {
        rig.say(&room, "carol", text).await;
    }
    let gap = rig.lazy(Some(&start), false).await;
    assert_eq!(members(&gap, &room), told(&[("carol", "join")]), "the client never got the first answer");
    rig.say(&room, "bob", "5").await;
    let next = rig.lazy(Some(&token(&gap)), false).await;
    assert_eq!(members(&next, &room), told(&[("bob", "join")]));
}

#[tokio::test]
async fn a_room_that_loses_its_name_is_called_by_members_whom_the_client_has() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    rig.set(&room, "m.room.name", json!({ "name": "Tea" })).await;
    rig.say(&room, "alice", "1").await;
    rig.say(&room, "alice", "2").await;
    let named = rig.lazy(None, false).await;
    let summary = |response: &Value| response["rooms"]["join"][room.as_str()]["summary"].clone();
    assert_eq!(summary(&named), json!({ "m.joined_member_count": 2, "m.invited_member_count": 0 }));
    rig.set(&room, "m.room.name", json!({ "name": "" })).await;
    let unnamed = rig.lazy(Some(&token(&named)), false).await;
    assert_eq!(summary(&unnamed)["m.heroes"], json!([user("bob")]));
    assert_eq!(members(&unnamed, &room), told(&[("bob", "join")]));
    rig.say(&room, "alice", "3").await;
    assert_eq!(summary(&rig.lazy(Some(&token(&unnamed)), false).await), Value::Null, "nothing changed");
}
