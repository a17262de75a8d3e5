//! What local users may not send although the authorization rules let it pass.

use event::{Draft, Pdu};
use kv::Read;
use ruma::events::TimelineEventType;
use serde_json::Value;

use crate::{Outgoing, Result, RoomError, Rooms, Tip, lookup::rules, num::RoomNum};

/// The levels that stand directly in the content of `m.room.power_levels`.
const LEVELS: [&str; 7] = ["ban", "events_default", "invite", "kick", "redact", "state_default", "users_default"];

/// Checks what the client-server API says of the content of some events; the authorization rules would refuse
/// some of it as well, without saying what is wrong.
pub(crate) fn check_content(draft: &Draft) -> Result<()> {
    match (&draft.kind, &draft.state_key) {
        (TimelineEventType::RoomCreate, _) => Err(bad("a room has one `m.room.create` event, which it begins with")),
        (TimelineEventType::RoomMessage, None) => check_message(draft.content.get()),
        (TimelineEventType::RoomPowerLevels, Some(_)) => check_power_levels(draft.content.get()),
        _ => Ok(()),
    }
}

impl Rooms {
    /// Checks what an event of a local user refers to.
    pub(crate) async fn check_references(
        &self,
        read: &impl Read,
        room: RoomNum,
        tip: &Tip,
        out: &Outgoing,
        pdu: &Pdu,
    ) -> Result<()> {
        if pdu.kind == TimelineEventType::RoomRedaction {
            self.check_redaction(read, room, tip, pdu).await?;
        }
        self.check_relation(read, room, out).await
    }

    /// From room version 12 on creators stand above all levels and have none of their own.
    pub(crate) async fn check_creators(&self, read: &impl Read, room: RoomNum, tip: &Tip, draft: &Draft) -> Result<()> {
        if draft.kind != TimelineEventType::RoomPowerLevels {
            return Ok(());
        }
        let version = &self.info(read, room).await?.version;
        if !rules(version)?.authorization.explicitly_privilege_room_creators {
            return Ok(());
        }
        let content = parsed(draft.content.get())?;
        let levels = self.power_levels(read, room, tip.state).await?;
        if levels.creators().iter().any(|creator| has_user(&content, creator.as_str())) {
            return Err(bad("creators of the room have no level in `users`"));
        }
        Ok(())
    }
}

fn has_user(content: &Value, user: &str) -> bool {
    content.get("users").and_then(|users| users.get(user)).is_some()
}

fn bad(message: &str) -> RoomError {
    RoomError::BadContent(message.to_owned())
}

fn parsed(content: &str) -> Result<Value> {
    serde_json::from_str(content).map_err(|error| RoomError::BadContent(error.to_string()))
}

/// Client-server API, "Instant Messaging": a message has a `msgtype` and a `body`.
fn check_message(content: &str) -> Result<()> {
    let content = parsed(content)?;
    for key in ["msgtype", "body"] {
        if !content.get(key).is_some_and(Value::is_string) {
            return Err(RoomError::BadContent(format!("a message needs `{key}`, a string")));
        }
    }
    Ok(())
}

/// Old room versions read numbers out of strings; nobody may write them any more.
fn check_power_levels(content: &str) -> Result<()> {
    let content = parsed(content)?;
    let whole = |level: &Value| level.is_i64() || level.is_u64();
    if !LEVELS.iter().all(|key| content.get(key).is_none_or(whole)) {
        return Err(bad("power levels must be integers"));
    }
    for key in ["events", "notifications", "users"] {
        let levels = match content.get(key) {
            None => continue,
            Some(Value::Object(levels)) => levels,
            Some(_) => return Err(RoomError::BadContent(format!("`{key}` must be an object"))),
        };
        if !levels.values().all(whole) {
            return Err(bad("power levels must be integers"));
        }
    }
    Ok(())
}
