//! Which rules an event matches.

use kv::Read;
use room::{EventRow, RoomNum, Rooms, Tip};
use ruma::{RoomId, UserId, push::Ruleset};
use serde_json::Value;

use crate::{custom::Watch, defaults, facts::Facts, tally::Signature};

/// What rules look at in an event of a room that stands at `tip`.
pub async fn facts<'a>(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    id: &'a RoomId,
    tip: &Tip,
    row: &'a EventRow,
) -> room::Result<Option<Facts<'a>>> {
    let (Ok(event), Ok(sender)) =
        (serde_json::from_slice::<Value>(&row.event.json()), <&UserId>::try_from(row.event.sender()))
    else {
        return Ok(None);
    };
    // Only the rule for @room asks for power levels, and rules of the users' own.
    let power = rooms.power_levels(read, room, tip.state).await.ok();
    Ok(Some(Facts { event, room: id, sender, members: tip.joined, power }))
}

/// The default rules that an event matches for users who have nothing to do with it.
pub fn defaults(facts: &Facts<'_>, rules: &Ruleset) -> u32 {
    let conditional = rules.override_.iter().chain(&rules.underride);
    let bits = conditional
        .filter(|rule| rule.default && facts.hold(&rule.conditions, None))
        .filter(|rule| rule.rule_id != defaults::ROOM_RULE || !facts.has_mentions())
        .filter_map(|rule| defaults::bit(&rule.rule_id));
    bits.fold(0, |all, bit| all | bit) & !defaults::PERSONAL
}

/// The users that an event mentions, each once.
pub fn mentions<'v>(facts: &'v Facts<'_>) -> Vec<&'v UserId> {
    let list = facts.event.pointer("/content/m.mentions/user_ids").and_then(Value::as_array);
    let mut users: Vec<_> =
        list.into_iter().flatten().filter_map(Value::as_str).filter_map(|id| <&UserId>::try_from(id).ok()).collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// The text of an event that says in no other way whom it mentions.
pub fn old_text<'v>(facts: &'v Facts<'_>) -> Option<&'v str> {
    facts.event.pointer("/content/body").and_then(Value::as_str).filter(|_| !facts.has_mentions())
}

/// The rules of a user's own that an event matches.
pub fn own(facts: &Facts<'_>, watches: &[Watch], name: Option<&str>) -> Vec<u64> {
    let mut ids: Vec<_> =
        watches.iter().filter(|watch| facts.hold(&watch.conditions, name)).map(|watch| watch.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// An event as it is to one user.
pub fn signature(impersonal: u32, is_mentioned: bool, own: Vec<u64>) -> Signature {
    let mention = if is_mentioned { defaults::MENTION } else { 0 };
    Signature { defaults: impersonal | mention, own }
}

/// Whether the display name matters to these rules.
#[allow(deprecated, reason = "clients still have rules with contains_display_name")]
pub fn needs_name(watches: &[Watch]) -> bool {
    use ruma::push::PushCondition::ContainsDisplayName;
    watches.iter().any(|watch| watch.conditions.iter().any(|condition| matches!(condition, ContainsDisplayName)))
}

/// A member's display name in a room.
pub async fn display_name(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    tip: &Tip,
    user: &UserId,
) -> room::Result<Option<String>> {
    let member = rooms.state_event(read, room, tip.state, "m.room.member", user.as_str()).await?;
    let content = member.and_then(|pdu| serde_json::from_str::<Value>(pdu.content.get()).ok());
    Ok(content.and_then(|content| content.get("displayname")?.as_str().map(str::to_owned)))
}
