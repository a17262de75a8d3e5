//! What a request to create a room may not ask for.

use event::RoomVersionRules;
use ruma::{UserId, events::TimelineEventType as Kind};
use serde_json::Value;

use super::CreateRoom;
use crate::{Result, RoomError, compose::is_member};

/// Longest room name in bytes.
const MAX_NAME: usize = 255;
/// Longest user id in bytes.
const MAX_USER: usize = 255;

/// Refuses requests that no room could come from, with a message that says what to change.
pub fn check(new: &CreateRoom, rules: &RoomVersionRules) -> Result<()> {
    if new.name.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
        return Err(RoomError::InvalidParam(format!("the name of a room has at most {MAX_NAME} bytes")));
    }
    check_creation_content(new, rules)?;
    for state in &new.initial_state {
        if is_member(&state.kind) || state.kind == Kind::RoomCreate {
            return Err(RoomError::InvalidState(format!("initial_state may not contain {}", state.kind)));
        }
    }
    if rules.authorization.explicitly_privilege_room_creators && names_creator(new) {
        let reason = "power_level_content_override may not name creators of the room: their power has no limit";
        return Err(RoomError::InvalidParam(reason.into()));
    }
    Ok(())
}

fn check_creation_content(new: &CreateRoom, rules: &RoomVersionRules) -> Result<()> {
    let bad = |reason: &str| Err(RoomError::InvalidParam(reason.to_owned()));
    let content = &new.creation_content;
    if content.get("type").is_some_and(|kind| !kind.is_string()) {
        return bad("creation_content: type must be a string");
    }
    if content.get("m.federate").is_some_and(|federate| !federate.is_boolean()) {
        return bad("creation_content: m.federate must be true or false");
    }
    if content.contains_key("room_id") {
        return bad("creation_content: the server gives the room its id");
    }
    let is_user =
        |user: &Value| user.as_str().is_some_and(|user| user.len() <= MAX_USER && UserId::parse(user).is_ok());
    match content.get("additional_creators") {
        Some(Value::Array(users)) if users.iter().all(is_user) => Ok(()),
        Some(_) if rules.authorization.additional_room_creators => {
            bad("creation_content: additional_creators must be a list of user ids")
        }
        _ => Ok(()),
    }
}

/// Whether the power levels asked for name somebody who creates the room.
fn names_creator(new: &CreateRoom) -> bool {
    let Some(Value::Object(users)) = new.power_levels.get("users") else { return false };
    let additional = new.creation_content.get("additional_creators").and_then(Value::as_array);
    let is_additional =
        |user: &String| additional.is_some_and(|all| all.iter().any(|creator| creator == user.as_str()));
    users.keys().any(|user| user == new.creator.as_str() || is_additional(user))
}
