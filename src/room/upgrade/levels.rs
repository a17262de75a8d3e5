//! Power levels of the new room, and closing the old one.

use kv::Tx;
use ruma::events::TimelineEventType as Kind;
use serde_json::{Map, Value, json};

use super::{Which, Work};
use crate::{Result, Tip};

/// Levels that stand at the top of the content, with what counts if they are missing.
const SCALARS: [(&str, i64); 7] = [
    ("ban", 50),
    ("events_default", 0),
    ("invite", 0),
    ("kick", 50),
    ("redact", 50),
    ("state_default", 50),
    ("users_default", 0),
];

/// The power levels that the new room gets.
pub(super) struct Levels {
    /// While it is being furnished.
    pub at_first: Value,
    /// In the end, if these are others.
    pub finally: Option<Value>,
}

/// A level, also one in the strings that old room versions allow.
fn level(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().trim_start_matches('+').parse().ok(),
        value => value.as_i64(),
    }
}

fn levels_of(content: &Map<String, Value>, key: &str) -> Map<String, Value> {
    let entries = content.get(key).and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), json!(level(value)?)))).collect()
}

/// The content with nothing in it but integers, as all versions take it.
fn normalized(content: &Map<String, Value>) -> Map<String, Value> {
    let mut clean = Map::new();
    for (key, _) in SCALARS {
        if let Some(level) = content.get(key).and_then(level) {
            clean.insert(key.into(), json!(level));
        }
    }
    for key in ["events", "notifications", "users"] {
        if content.contains_key(key) {
            clean.insert(key.into(), Value::Object(levels_of(content, key)));
        }
    }
    clean
}

fn scalar(content: &Map<String, Value>, key: &str) -> i64 {
    let default = SCALARS.iter().find(|(name, _)| *name == key).map_or(0, |(_, default)| *default);
    content.get(key).and_then(level).unwrap_or(default)
}

/// The greatest level that anything in the room needs.
fn greatest(content: &Map<String, Value>) -> i64 {
    let named = SCALARS.iter().filter(|(key, _)| *key != "users_default").map(|(key, _)| scalar(content, key));
    let events = levels_of(content, "events");
    named.chain(events.values().filter_map(Value::as_i64)).max().unwrap_or(100)
}

fn set_user(content: &mut Map<String, Value>, user: &str, level: i64) {
    if let Value::Object(users) = content.entry("users").or_insert_with(|| json!({})) {
        users.insert(user.to_owned(), json!(level));
    }
}

fn user_level(content: &Map<String, Value>, user: &str) -> i64 {
    let named = content.get("users").and_then(|users| users.get(user)).and_then(level);
    named.unwrap_or_else(|| scalar(content, "users_default"))
}

impl Work<'_> {
    /// The levels of the old room, fit for the new version.
    pub(super) async fn levels(&self, tx: &Tx, before: &Tip) -> Result<Levels> {
        let old = match self.old_content(tx, before, "m.room.power_levels", "").await? {
            Some(Value::Object(content)) => normalized(&content),
            _ => Map::new(),
        };
        let user = self.upgrade.user.as_str();
        if self.new.rules.authorization.explicitly_privilege_room_creators {
            return Ok(Levels { at_first: Value::Object(self.without_creators(old)), finally: None });
        }
        let old = self.with_old_creators(old, tx, before).await?;
        let needed = greatest(&old);
        if user_level(&old, user) >= needed {
            return Ok(Levels { at_first: Value::Object(old), finally: None });
        }
        let mut raised = old.clone();
        set_user(&mut raised, user, needed);
        Ok(Levels { at_first: Value::Object(raised), finally: Some(Value::Object(old)) })
    }

    /// Creators of the new room may not have a level: theirs has no limit.
    fn without_creators(&self, mut content: Map<String, Value>) -> Map<String, Value> {
        if let Some(Value::Object(users)) = content.get_mut("users") {
            users.remove(self.upgrade.user.as_str());
            for creator in &self.upgrade.additional_creators {
                users.remove(creator.as_str());
            }
        }
        content
    }

    /// Whose power came from having created the old room gets a level in the new one.
    async fn with_old_creators(
        &self,
        mut content: Map<String, Value>,
        tx: &Tx,
        before: &Tip,
    ) -> Result<Map<String, Value>> {
        let had_no_levels = content.is_empty();
        if self.old.rules.authorization.explicitly_privilege_room_creators || had_no_levels {
            let level = greatest(&content).max(100);
            let levels = self.rooms.power_levels(tx, self.old.num, before.state).await?;
            for creator in levels.creators() {
                set_user(&mut content, creator.as_str(), level);
            }
        }
        Ok(content)
    }

    /// Lets nobody but moderators speak and invite in the old room any more.
    pub(super) async fn close(&mut self, tx: &mut Tx, before: &Tip) -> Result<()> {
        let old = self.old_content(tx, before, "m.room.power_levels", "").await?;
        let Some(Value::Object(mut content)) = old else { return Ok(()) };
        let level = 50.max(scalar(&content, "users_default").saturating_add(1));
        for key in ["events_default", "invite"] {
            if scalar(&content, key) < level {
                content.insert(key.into(), json!(level));
            }
        }
        self.put(tx, Which::Old, Kind::RoomPowerLevels, "", &Value::Object(content)).await?;
        Ok(())
    }
}
