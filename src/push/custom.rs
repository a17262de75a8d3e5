//! A user's own rules: what they come down to in one room.

use base::glob::Glob;
use ruma::{
    OwnedUserId, RoomId,
    push::{AnyPushRuleRef, EventMatchConditionData, PushCondition, Ruleset},
};
use serde::{Deserialize, Serialize};

use crate::defaults;

/// Most rules of a user's own that are tried on each event of a room, as all of its senders wait for that.
pub const MAX_WATCHES: usize = 200;

/// When a rule matches, as far as the room alone says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Always.
    Always,
    /// When the event's signature has this bit.
    Default(u32),
    /// When the event's signature has this rule.
    Own(u64),
    /// When this user sent it.
    Sender(OwnedUserId),
}

/// A rule that has to be tried on each event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch {
    /// Stands for the rule in signatures; another one when the conditions change.
    pub id: u64,
    /// What must hold.
    pub conditions: Vec<PushCondition>,
}

/// When `rule` matches in `room`; `None` if never.
pub fn test(rule: AnyPushRuleRef<'_>, room: &RoomId) -> Option<Test> {
    if !rule.enabled() {
        return None;
    }
    if rule.is_server_default() {
        return defaults::bit(rule.rule_id()).map(Test::Default);
    }
    match rule {
        AnyPushRuleRef::Room(rule) => (rule.rule_id == room).then_some(Test::Always),
        AnyPushRuleRef::Sender(rule) => Some(Test::Sender(rule.rule_id.clone())),
        rule => match watch(rule, room)? {
            watch if watch.conditions.is_empty() => Some(Test::Always),
            watch => Some(Test::Own(watch.id)),
        },
    }
}

/// The rules that have to be tried on each event of `room`, most important first.
pub fn watches(rules: &Ruleset, room: &RoomId) -> impl Iterator<Item = Watch> {
    let own = rules.iter().filter(|rule| rule.enabled() && !rule.is_server_default());
    own.filter_map(|rule| watch(rule, room)).filter(|watch| !watch.conditions.is_empty())
}

/// The conditions of a rule that are left when the room is known; `None` if it never matches there.
fn watch(rule: AnyPushRuleRef<'_>, room: &RoomId) -> Option<Watch> {
    let (kind, all) = match rule {
        AnyPushRuleRef::Override(rule) => ("override", rule.conditions.clone()),
        AnyPushRuleRef::Underride(rule) => ("underride", rule.conditions.clone()),
        AnyPushRuleRef::Content(rule) => {
            let data = EventMatchConditionData::new("content.body".to_owned(), rule.pattern.clone());
            ("content", vec![PushCondition::EventMatch(data)])
        }
        _ => return None,
    };
    let mut conditions = Vec::with_capacity(all.len());
    for condition in all {
        match &condition {
            PushCondition::EventMatch(data) if data.key == "room_id" => {
                if !Glob::new(&data.pattern)?.matches(room.as_str()) {
                    return None;
                }
            }
            _ => conditions.push(condition),
        }
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(&[0]).update(rule.rule_id().as_bytes()).update(&[0]);
    hasher.update(&serde_json::to_vec(&conditions).ok()?);
    let mut id = [0; 8];
    hasher.finalize_xof().fill(&mut id);
    Some(Watch { id: u64::from_be_bytes(id), conditions })
}
