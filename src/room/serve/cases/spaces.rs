use ruma::{OwnedRoomId, ServerName};
use serde_json::{Map, json};

use crate::{
    CreateRoom, Preset, RoomError,
    cases::rig::{Rig, user},
};

async fn room(rig: &Rig, preset: Preset, space: bool) -> OwnedRoomId {
    let new = CreateRoom {
        creation_content: if space { Map::from_iter([("type".into(), json!("m.space"))]) } else { Map::new() },
        ..CreateRoom::new(user("alice"), preset)
    };
    rig.clock.advance(1000);
    rig.rooms.create(&new).await.unwrap()
}

impl Rig {
    /// The same server, about another of its rooms.
    async fn about(&self, id: &OwnedRoomId) -> Self {
        let num = self.rooms.num(&self.rooms.db().view(), id).await.unwrap();
        Self { rooms: self.rooms.clone(), clock: self.clock.clone(), id: id.clone(), num }
    }
}

#[tokio::test]
async fn a_space_tells_a_server_of_the_rooms_that_its_users_could_get_into() {
    let rig = Rig::new().await;
    let space = rig.about(&room(&rig, Preset::PublicChat, true).await).await;
    let open = room(&rig, Preset::PublicChat, false).await;
    let closed = room(&rig, Preset::PrivateChat, false).await;
    let invited = rig.about(&room(&rig, Preset::PrivateChat, false).await).await;
    invited.member("alice", "bob:other.test", "invite").await;
    let via = json!({ "via": ["hearth.test"] });
    for child in [&open, &closed, &invited.id] {
        space.state("alice", "m.space.child", child.as_str(), &via).await;
    }
    space.state("alice", "m.space.child", "!elsewhere:far.test", &via).await;

    let other = <&ServerName>::try_from("other.test").unwrap();
    let view = rig.rooms.db().view();
    let answer = rig.rooms.hierarchy_for(&view, &space.id, other, false).await.unwrap();
    assert_eq!(answer.room.children_state.len(), 4);
    assert_eq!(answer.children.iter().map(|room| &room.room_id).collect::<Vec<_>>(), [&open, &invited.id]);
    assert_eq!(answer.inaccessible_children, std::slice::from_ref(&closed));
    let hidden = rig.rooms.hierarchy_for(&view, &closed, other, false).await;
    assert!(matches!(hidden, Err(RoomError::UnknownRoom)));

    let suggested = rig.rooms.hierarchy_for(&view, &space.id, other, true).await.unwrap();
    assert!(suggested.room.children_state.is_empty() && suggested.children.is_empty());
}

#[tokio::test]
async fn a_restricted_room_is_told_of_to_servers_in_a_room_that_lets_into_it() {
    let rig = Rig::new().await;
    let restricted = rig.about(&room(&rig, Preset::PrivateChat, false).await).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": rig.id }]);
    restricted.state("alice", "m.room.join_rules", "", &json!({ "join_rule": "restricted", "allow": allow })).await;
    let other = <&ServerName>::try_from("other.test").unwrap();
    let ask = async || rig.rooms.hierarchy_for(&rig.rooms.db().view(), &restricted.id, other, false).await;
    assert!(ask().await.is_err());
    rig.join("bob:other.test").await;
    assert_eq!(ask().await.unwrap().room.summary.allowed_room_ids, std::slice::from_ref(&rig.id));
    rig.member("alice", "bob:other.test", "ban").await;
    rig.state("alice", "m.room.server_acl", "", &json!({ "allow": ["hearth.test"] })).await;
    restricted.state("alice", "m.room.server_acl", "", &json!({ "allow": ["hearth.test"] })).await;
    assert!(matches!(ask().await, Err(RoomError::Denied(_))));
}
