//! What push rules look at, and whether a condition holds. Client-server API, "Conditions for Rules".

use base::glob::Glob;
use event::PowerLevels;
use ruma::{
    RoomId, UInt, UserId,
    events::room::power_levels::UserPowerLevel,
    push::{PushCondition, ScalarJsonValue},
};
use serde_json::Value;

/// An event with the room around it.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The event as JSON.
    pub event: Value,
    /// Its room.
    pub room: &'a RoomId,
    /// Who sent it.
    pub sender: &'a UserId,
    /// How many members the room has.
    pub members: u64,
    /// The power levels; conditions that need them do not hold without.
    pub power: Option<PowerLevels>,
}

impl Facts<'_> {
    /// Whether all `conditions` hold for a user with this display name. Unknown conditions never hold.
    pub fn hold(&self, conditions: &[PushCondition], name: Option<&str>) -> bool {
        conditions.iter().all(|condition| self.holds(condition, name))
    }

    #[allow(deprecated, reason = "clients still have rules with contains_display_name")]
    fn holds(&self, condition: &PushCondition, name: Option<&str>) -> bool {
        match condition {
            PushCondition::EventMatch(data) => self.glob_matches(&data.key, &data.pattern),
            PushCondition::ContainsDisplayName => name.filter(|name| !name.is_empty()).is_some_and(|name| {
                let glob = Glob::literal(name);
                self.text("content.body").zip(glob).is_some_and(|(body, glob)| glob.matches_words(body))
            }),
            PushCondition::RoomMemberCount(data) => {
                std::ops::RangeBounds::contains(&data.is, &UInt::new_saturating(self.members))
            }
            PushCondition::SenderNotificationPermission(data) => self.power.as_ref().is_some_and(|power| {
                power.user(self.sender) >= UserPowerLevel::Int(power.notification(data.key.as_str()))
            }),
            PushCondition::EventPropertyIs(data) => {
                lookup(&self.event, &data.key).is_some_and(|value| equals(value, &data.value))
            }
            PushCondition::EventPropertyContains(data) => {
                let list = lookup(&self.event, &data.key).and_then(Value::as_array);
                list.is_some_and(|list| list.iter().any(|value| equals(value, &data.value)))
            }
            _ => false,
        }
    }

    /// Whether the event says whom it mentions, if anybody.
    pub fn has_mentions(&self) -> bool {
        self.event.pointer("/content/m.mentions").is_some()
    }

    fn glob_matches(&self, key: &str, pattern: &str) -> bool {
        let Some(glob) = Glob::new(pattern) else { return false };
        match key {
            "room_id" => glob.matches(self.room.as_str()),
            "content.body" => self.text(key).is_some_and(|body| glob.matches_words(body)),
            key => self.text(key).is_some_and(|text| glob.matches(text)),
        }
    }

    fn text(&self, path: &str) -> Option<&str> {
        lookup(&self.event, path).and_then(Value::as_str)
    }
}

/// The value at a dot-separated path, in which `\.` and `\\` stand for themselves. Appendices, "Dot-separated
/// property paths".
fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let mut at = value;
    let mut key = String::new();
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('.', _) => {
                at = at.as_object()?.get(&key)?;
                key.clear();
            }
            ('\\', Some(&next @ ('.' | '\\'))) => {
                key.push(next);
                chars.next();
            }
            (c, _) => key.push(c),
        }
    }
    at.as_object()?.get(&key)
}

fn equals(value: &Value, wanted: &ScalarJsonValue) -> bool {
    match wanted {
        ScalarJsonValue::Null => value.is_null(),
        ScalarJsonValue::Bool(wanted) => value.as_bool() == Some(*wanted),
        ScalarJsonValue::Integer(wanted) => value.as_i64() == Some(i64::from(*wanted)),
        ScalarJsonValue::String(wanted) => value.as_str() == Some(wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_descend_at_dots_that_are_not_escaped() {
        let event = json!({ "content": { "m.mentions": { "room": true }, "a\\b": 1 }, "type": "t" });
        assert_eq!(lookup(&event, r"content.m\.mentions.room"), Some(&json!(true)));
        assert_eq!(lookup(&event, r"content.a\\b"), Some(&json!(1)));
        assert_eq!(lookup(&event, "content.m.mentions.room"), None);
        assert_eq!(lookup(&event, "type"), Some(&json!("t")));
    }
}
