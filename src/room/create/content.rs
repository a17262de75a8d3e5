//! The contents of the events that a room begins with.

use std::collections::HashSet;

use event::{Draft, RoomVersionRules};
use ruma::{OwnedUserId, events::TimelineEventType as Kind};
use serde_json::{Map, Value, json, value::RawValue};

use super::{CreateRoom, InitialState, MemberProfile, Preset};
use crate::{Result, RoomError};

/// JSON text of a value.
pub fn raw(value: &impl serde::Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(|error| RoomError::BadContent(error.to_string()))
}

/// In version 12 and later, invited users of a trusted room become creators.
pub fn add_creators(content: &mut Map<String, Value>, new: &CreateRoom, rules: &RoomVersionRules) {
    if rules.authorization.explicitly_privilege_room_creators && new.preset == Preset::TrustedPrivateChat {
        add_creators_to(content, new.invites.iter().map(|(user, _)| user).filter(|user| **user != new.creator));
    }
}

/// Adds users to the `additional_creators` of a create event.
pub fn add_creators_to<'a>(content: &mut Map<String, Value>, users: impl Iterator<Item = &'a OwnedUserId>) {
    for user in users {
        if let Value::Array(creators) = content.entry("additional_creators").or_insert_with(|| json!([]))
            && !creators.iter().any(|creator| creator == user.as_str())
        {
            creators.push(json!(user));
        }
    }
}

/// What follows the create event, in the order of the specification.
pub fn drafts(new: &CreateRoom, rules: &RoomVersionRules) -> Result<Vec<Draft>> {
    let mut all = vec![member(new.creator.as_str(), "join", &new.profile, None)?];
    // Power levels in the initial state replace the usual ones, as nothing else in the room may depend on those.
    let is_levels = |state: &&InitialState| state.kind == Kind::RoomPowerLevels && state.state_key.is_empty();
    let levels = match new.initial_state.iter().rfind(is_levels) {
        Some(given) => given.content.clone(),
        None => raw(&power_levels(new, rules))?,
    };
    all.push(Draft::state(Kind::RoomPowerLevels, "", levels));
    if let Some(alias) = &new.alias {
        all.push(Draft::state(Kind::RoomCanonicalAlias, "", raw(&json!({ "alias": alias }))?));
    }
    for (kind, content) in preset(new.preset) {
        if !new.initial_state.iter().any(|state| state.kind == kind && state.state_key.is_empty()) {
            all.push(Draft::state(kind, "", raw(&content)?));
        }
    }
    for state in new.initial_state.iter().filter(|state| !is_levels(state)) {
        all.push(Draft::state(state.kind.clone(), state.state_key.clone(), state.content.clone()));
    }
    if let Some(name) = &new.name {
        all.push(Draft::state(Kind::RoomName, "", raw(&json!({ "name": name }))?));
    }
    if let Some(topic) = &new.topic {
        let content = json!({ "topic": topic, "m.topic": { "m.text": [{ "body": topic }] } });
        all.push(Draft::state(Kind::RoomTopic, "", raw(&content)?));
    }
    let mut invited = HashSet::from([&new.creator]);
    // Those of other servers are invited afterwards, as their servers have to sign that.
    let ours = new.invites.iter().filter(|(user, _)| user.server_name() == new.creator.server_name());
    for (user, profile) in ours.filter(|(user, _)| invited.insert(user)) {
        all.push(member(user.as_str(), "invite", profile, new.is_direct.then_some(true))?);
    }
    Ok(all)
}

/// A member event.
pub fn member(user: &str, membership: &str, profile: &MemberProfile, is_direct: Option<bool>) -> Result<Draft> {
    let mut content = Map::from_iter([("membership".to_owned(), json!(membership))]);
    profile.write(&mut content);
    if let Some(direct) = is_direct {
        content.insert("is_direct".into(), json!(direct));
    }
    Ok(Draft::state(Kind::RoomMember, user, raw(&content)?))
}

fn preset(preset: Preset) -> Vec<(Kind, Value)> {
    let visibility = (Kind::RoomHistoryVisibility, json!({ "history_visibility": "shared" }));
    match preset {
        // Without an event that says otherwise, guests stay out.
        Preset::PublicChat => vec![(Kind::RoomJoinRules, json!({ "join_rule": "public" })), visibility],
        Preset::PrivateChat | Preset::TrustedPrivateChat => vec![
            (Kind::RoomJoinRules, json!({ "join_rule": "invite" })),
            visibility,
            (Kind::RoomGuestAccess, json!({ "guest_access": "can_join" })),
        ],
    }
}

fn power_levels(new: &CreateRoom, rules: &RoomVersionRules) -> Value {
    let creators_stand_above = rules.authorization.explicitly_privilege_room_creators;
    let mut users = Map::new();
    if !creators_stand_above {
        users.insert(new.creator.to_string(), json!(100));
        if new.preset == Preset::TrustedPrivateChat {
            users.extend(new.invites.iter().map(|(user, _)| (user.to_string(), json!(100))));
        }
    }
    let mut levels = json!({
        "ban": 50,
        "events": {
            "m.room.avatar": 50,
            "m.room.canonical_alias": 50,
            "m.room.encryption": 100,
            "m.room.history_visibility": 100,
            "m.room.name": 50,
            "m.room.power_levels": 100,
            "m.room.server_acl": 100,
            "m.room.tombstone": if creators_stand_above { 150 } else { 100 },
        },
        "events_default": 0,
        "invite": if new.preset == Preset::PublicChat { 50 } else { 0 },
        "kick": 50,
        "redact": 50,
        "state_default": 50,
        "users": users,
        "users_default": 0,
    });
    if let Value::Object(levels) = &mut levels {
        levels.extend(new.power_levels.clone());
    }
    levels
}
