//! Rooms that this server is not in, as other servers describe them: summaries and the hierarchies of spaces.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use federation::Call;
use moka::sync::Cache;
use room::{HierarchyQuery, Membership, OwnRoom, RoomError};
use ruma::{
    OwnedRoomId, OwnedServerName, RoomId, RoomOrAliasId, ServerName, UserId,
    api::federation::space::get_hierarchy::v1::Request,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::waited_for;
use crate::{Flows, Result};

/// Most servers that are asked for one room.
const MAX_VIA: usize = 3;
/// Most rooms that other servers are asked for on one page.
const MAX_ASKED: usize = 20;
/// Largest answer, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Most children of a space of another server that are looked at.
const MAX_CHILDREN: usize = 500;
/// What of a summary goes on to clients.
const KEYS: [&str; 14] = [
    "room_id",
    "canonical_alias",
    "name",
    "topic",
    "avatar_url",
    "room_type",
    "num_joined_members",
    "join_rule",
    "allowed_room_ids",
    "world_readable",
    "guest_can_join",
    "encryption",
    "room_version",
    "children_state",
];

/// What another server says of a space.
#[derive(Debug, Deserialize)]
struct Answer {
    room: Map<String, Value>,
    #[serde(default)]
    children: Vec<Map<String, Value>>,
}

/// Answers of a few minutes ago: the pages of one hierarchy ask for the same. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Spaces(Cache<(OwnedRoomId, bool), Arc<Answer>>);

impl Default for Spaces {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(64).time_to_live(Duration::from_secs(5 * 60)).build())
    }
}

/// A room on the way through a hierarchy.
struct Ahead {
    id: OwnedRoomId,
    depth: u64,
    via: Vec<OwnedServerName>,
}

/// The part of a summary that clients get.
fn known(room: &Map<String, Value>) -> Map<String, Value> {
    let mut room: Map<_, _> =
        KEYS.iter().filter_map(|key| Some(((*key).to_owned(), room.get(*key)?.clone()))).collect();
    let events = room.get("children_state").and_then(Value::as_array);
    let mut events: Vec<_> = events.into_iter().flatten().take(MAX_CHILDREN).cloned().collect();
    events.sort_by(|a, b| rank(a).cmp(&rank(b)));
    room.insert("children_state".to_owned(), events.into());
    room
}

/// Children with an order come first, by it; then the older ones.
fn rank(event: &Value) -> (bool, &str, u64, &str) {
    let order = event.pointer("/content/order").and_then(Value::as_str);
    let at = event.get("origin_server_ts").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let id = event.get("state_key").and_then(Value::as_str).unwrap_or_default();
    (order.is_none(), order.unwrap_or_default(), at, id)
}

/// The children that a space names, with servers to ask about them.
fn children(room: &Map<String, Value>, depth: u64) -> Vec<Ahead> {
    let events = room.get("children_state").and_then(Value::as_array);
    let child = |event: &Value| {
        let via = event.pointer("/content/via")?.as_array()?;
        let via = via.iter().filter_map(Value::as_str).filter_map(|name| OwnedServerName::try_from(name).ok());
        let id = OwnedRoomId::try_from(event.get("state_key")?.as_str()?).ok()?;
        Some(Ahead { id, depth, via: via.take(MAX_VIA).collect() })
    };
    events.into_iter().flatten().filter_map(child).collect()
}

fn is_open(room: &Map<String, Value>) -> bool {
    let rule = room.get("join_rule").and_then(Value::as_str).unwrap_or("public");
    room.get("world_readable") == Some(&Value::Bool(true)) || matches!(rule, "public" | "knock" | "knock_restricted")
}

impl Flows {
    /// What a room of any server looks like from outside, and the caller's membership; `via` are servers to ask if
    /// this one is not in it. Client-server API, "Room Summaries".
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`] also when the caller may not know of it.
    pub async fn room_summary(
        &self,
        user: Option<&UserId>,
        room: &RoomOrAliasId,
        mut via: Vec<OwnedServerName>,
    ) -> Result<Map<String, Value>> {
        let id = match <&ruma::RoomAliasId>::try_from(room) {
            Ok(alias) => {
                let (id, servers) = self.resolve_alias(alias).await?;
                via.extend(servers);
                id
            }
            Err(_) => <&RoomId>::try_from(room).map_err(|_| RoomError::UnknownRoom)?.to_owned(),
        };
        via.extend(id.server_name().map(ToOwned::to_owned));
        let view = self.rooms.db().view();
        let mut summary = match self.rooms.own_room(&view, &id, user, false).await? {
            OwnRoom::Shown(room) => object(&json!(room.summary)),
            OwnRoom::Hidden => return Err(RoomError::UnknownRoom.into()),
            // Nobody else is asked for who proves nothing.
            OwnRoom::Unknown if user.is_none() => return Err(RoomError::UnknownRoom.into()),
            OwnRoom::Unknown => {
                let answer = self.described(&id, &via, false).await.ok_or(RoomError::UnknownRoom)?;
                let mut room = known(&answer.room);
                if !self.may_know_of(&room, &id, user).await? {
                    return Err(RoomError::UnknownRoom.into());
                }
                room.remove("children_state");
                room
            }
        };
        if let Some(user) = user {
            let membership = self.membership_in(user, &id).await?;
            summary.insert("membership".to_owned(), membership.as_str().into());
        }
        Ok(summary)
    }

    /// A page of the hierarchy below `root`, as `user` may see it, with the rooms that other servers know of; and
    /// the token of the next page. Client-server API, "Spaces".
    ///
    /// # Errors
    /// [`RoomError::Denied`] when the user may not see the root, or there is no such room;
    /// [`RoomError::InvalidParam`] for a token that is none, or came from another request.
    pub async fn hierarchy(
        &self,
        user: &UserId,
        root: &RoomId,
        query: &HierarchyQuery,
    ) -> Result<(Vec<Map<String, Value>>, Option<String>)> {
        let (limit, skip) = (query.page_size(), query.skipped(root)?);
        let via = root.server_name().map(ToOwned::to_owned).into_iter().collect();
        let mut ahead = vec![Ahead { id: root.to_owned(), depth: 0, via }];
        let (mut seen, mut told) = (HashSet::new(), HashMap::new());
        let (mut found, mut count, mut asked) = (Vec::new(), 0, 0);
        while let Some(next) = ahead.pop() {
            if !seen.insert(next.id.clone()) {
                continue;
            }
            let room = self.shown_room(user, &next, query.suggested_only, &mut told, &mut asked).await?;
            let Some(room) = room else {
                if next.depth == 0 {
                    return Err(RoomError::Denied("you may not see this space".into()).into());
                }
                continue;
            };
            if found.len() == limit {
                return Ok((found, Some(query.token(root, skip + limit))));
            }
            if query.max_depth.is_none_or(|most| next.depth < most) {
                ahead.extend(children(&room, next.depth + 1).into_iter().rev());
            }
            count += 1;
            if count > skip {
                found.push(room);
            }
        }
        Ok((found, None))
    }

    /// A room of a hierarchy, if `user` may know of it. `told` are rooms that their space's server described,
    /// `asked` counts the requests to others.
    async fn shown_room(
        &self,
        user: &UserId,
        room: &Ahead,
        suggested_only: bool,
        told: &mut HashMap<String, Map<String, Value>>,
        asked: &mut usize,
    ) -> Result<Option<Map<String, Value>>> {
        let view = self.rooms.db().view();
        match self.rooms.own_room(&view, &room.id, Some(user), suggested_only).await? {
            OwnRoom::Shown(room) => return Ok(Some(object(&json!(room)))),
            OwnRoom::Hidden => return Ok(None),
            OwnRoom::Unknown => {}
        }
        let described = match told.remove(room.id.as_str()) {
            Some(room) => Some(room),
            None if *asked < MAX_ASKED => {
                *asked += 1;
                let answer = self.described(&room.id, &room.via, suggested_only).await;
                answer.map(|answer| {
                    told.extend(leaves(&answer.children));
                    known(&answer.room)
                })
            }
            None => None,
        };
        match described {
            Some(described) if self.may_know_of(&described, &room.id, Some(user)).await? => Ok(Some(described)),
            _ => Ok(None),
        }
    }

    /// What other servers say of a room.
    async fn described(&self, id: &RoomId, via: &[OwnedServerName], suggested_only: bool) -> Option<Arc<Answer>> {
        let key = (id.to_owned(), suggested_only);
        if let Some(answer) = self.spaces.0.get(&key) {
            return Some(answer);
        }
        let mut tried: HashSet<&ServerName> = HashSet::from([self.rooms.server()]);
        for server in via.iter().filter(|server| tried.insert(server)).take(MAX_VIA) {
            let mut request = Request::new(id.to_owned());
            request.suggested_only = suggested_only;
            let Ok(call) = Call::of(request) else { continue };
            let answer = self.federation.call(server, waited_for(call).max_bytes(MAX_BYTES)).await;
            match answer.and_then(|answer| answer.json::<Answer>()) {
                Ok(answer) if answer.room.get("room_id").and_then(Value::as_str) == Some(id.as_str()) => {
                    let answer = Arc::new(answer);
                    self.spaces.0.insert(key, answer.clone());
                    return Some(answer);
                }
                Ok(_) => tracing::debug!(%server, room = %id, "a server described another room than it was asked for"),
                Err(error) => tracing::debug!(%server, room = %id, %error, "a server does not describe a room"),
            }
        }
        None
    }

    /// Whether `user` may know of a room that another server described to this one.
    async fn may_know_of(&self, room: &Map<String, Value>, id: &RoomId, user: Option<&UserId>) -> Result<bool> {
        if is_open(room) {
            return Ok(true);
        }
        let Some(user) = user else { return Ok(false) };
        if matches!(self.membership_in(user, id).await?, Membership::Join | Membership::Invite) {
            return Ok(true);
        }
        let allowed = room.get("allowed_room_ids").and_then(Value::as_array);
        for allowed in allowed.into_iter().flatten().filter_map(Value::as_str) {
            let Ok(allowed) = <&RoomId>::try_from(allowed) else { continue };
            if self.membership_in(user, allowed).await? == Membership::Join {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn membership_in(&self, user: &UserId, room: &RoomId) -> Result<Membership> {
        let view = self.rooms.db().view();
        match self.rooms.num(&view, room).await {
            Ok(room) => Ok(self.rooms.membership(&view, user, room).await?),
            Err(RoomError::UnknownRoom) => Ok(Membership::Leave),
            Err(error) => Err(error.into()),
        }
    }
}

/// The rooms among children that are no spaces: nothing more is to be asked of them.
fn leaves(rooms: &[Map<String, Value>]) -> impl Iterator<Item = (String, Map<String, Value>)> {
    let leaves = rooms.iter().filter(|room| room.get("room_type").and_then(Value::as_str) != Some("m.space"));
    leaves.take(MAX_CHILDREN).filter_map(|room| {
        let id = room.get("room_id")?.as_str()?.to_owned();
        let mut room = known(room);
        room.insert("children_state".to_owned(), json!([]));
        Some((id, room))
    })
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_description_only_what_is_known_goes_on_in_the_order_of_the_children() {
        let child = |id: &str, order: Option<&str>, ts: u64| json!({ "state_key": id, "origin_server_ts": ts, "content": { "via": ["b.test", 1, "no name"], "order": order } });
        let events =
            json!([child("!c:b.test", None, 1), child("!b:b.test", Some("z"), 9), child("!a:b.test", Some("a"), 9), 5]);
        let room = json!({ "room_id": "!s:b.test", "secret": 1, "children_state": events });
        let room = known(room.as_object().unwrap());
        assert!(!room.contains_key("secret"));
        let found = children(&room, 1);
        assert_eq!(
            found.iter().map(|child| child.id.as_str()).collect::<Vec<_>>(),
            ["!a:b.test", "!b:b.test", "!c:b.test"]
        );
        assert!(found.iter().all(|child| child.via == ["b.test"]));
    }

    #[test]
    fn rooms_are_open_by_their_rule_or_when_everybody_may_read_them() {
        for (room, expected) in [
            (json!({ "join_rule": "public" }), true),
            (json!({ "join_rule": "knock" }), true),
            (json!({ "join_rule": "knock_restricted" }), true),
            (json!({ "join_rule": "restricted" }), false),
            (json!({ "join_rule": "invite", "world_readable": true }), true),
            (json!({ "join_rule": "invite", "world_readable": "yes" }), false),
            (json!({}), true),
        ] {
            assert_eq!(is_open(room.as_object().unwrap()), expected, "{room}");
        }
    }
}
