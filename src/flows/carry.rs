//! What a user had set for a room goes on in the room that replaces it.

use account::AccountData;
use kv::Read;
use room::{Membership, RoomError};
use ruma::{
    OwnedRoomId, RoomId, UserId,
    push::{EventMatchConditionData, NewConditionalPushRule, NewPushRule, PushCondition, RuleKind},
};
use serde_json::{Value, json};

use crate::{Flows, Result};

impl Flows {
    /// Copies tags, push rules and the mark of a direct chat from the room that `room` replaces, if the user was
    /// in that one. What the user has set for the new room stays.
    pub(crate) async fn carry_over(&self, user: &UserId, room: &RoomId) -> Result<()> {
        let Some(old) = self.predecessor(user, room).await? else { return Ok(()) };
        self.carry_account_data(user, &old, room).await?;
        self.rules.copy_room(user, &old, room).await?;
        self.carry_conditional_rules(user, &old, room).await
    }

    /// After a room got a tombstone: those who are in its replacement already, as who made that by hand, keep what
    /// they had set. Doing it again changes nothing.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn follow_tombstone(&self, old: &RoomId) -> Result<()> {
        let view = self.rooms.db().view();
        let tombstone = self.state_content(&view, self.rooms.num(&view, old).await?, "m.room.tombstone").await?;
        let new = tombstone.get("replacement_room").and_then(Value::as_str);
        let Some(new) = new.and_then(|new| OwnedRoomId::try_from(new).ok()) else { return Ok(()) };
        let room = match self.rooms.num(&view, &new).await {
            Err(RoomError::UnknownRoom) => return Ok(()),
            other => other?,
        };
        for member in self.rooms.members(&view, room, Membership::Join).await? {
            if member.user.server_name() == self.rooms.server() {
                self.carry_over(&member.user, &new).await?;
            }
        }
        Ok(())
    }

    /// The room that says that it goes on in `room`, if `user` had a part in it.
    async fn predecessor(&self, user: &UserId, id: &RoomId) -> Result<Option<OwnedRoomId>> {
        let view = self.rooms.db().view();
        let room = self.rooms.num(&view, id).await?;
        let content = self.state_content(&view, room, "m.room.create").await?;
        let old = content.pointer("/predecessor/room_id").and_then(Value::as_str);
        let Some(old) = old.and_then(|old| OwnedRoomId::try_from(old).ok()) else { return Ok(None) };
        let old_room = match self.rooms.num(&view, &old).await {
            Err(RoomError::UnknownRoom) => return Ok(None),
            other => other?,
        };
        let tombstone = self.state_content(&view, old_room, "m.room.tombstone").await?;
        let leads_here = tombstone.get("replacement_room").and_then(Value::as_str) == Some(id.as_str());
        let part = self.rooms.user_room(&view, user, old_room).await?;
        let was_in = part.is_some_and(|part| {
            !part.value.forgotten && matches!(part.value.membership, Membership::Join | Membership::Leave)
        });
        Ok((leads_here && was_in).then_some(old))
    }

    async fn state_content(&self, read: &impl Read, room: room::RoomNum, kind: &str) -> Result<Value> {
        let tip = match self.rooms.tip(read, room).await {
            Err(RoomError::UnknownRoom) => return Ok(Value::Null),
            other => other?,
        };
        let event = self.rooms.state_event(read, room, tip.state, kind, "").await?;
        Ok(event.and_then(|pdu| serde_json::from_str(pdu.content.get()).ok()).unwrap_or_default())
    }

    async fn carry_account_data(&self, user: &UserId, old: &RoomId, new: &RoomId) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.rooms.db().begin();
            let mut changed = false;
            if AccountData::get_in(&tx, user, Some(new), "m.tag").await?.is_none()
                && let Some(tags) = AccountData::get_in(&tx, user, Some(old), "m.tag").await?
            {
                AccountData::set_in(&mut tx, user, Some(new), "m.tag", &tags).await?;
                changed = true;
            }
            let direct = AccountData::get_in(&tx, user, None, "m.direct").await?;
            if let Some(direct) = direct.and_then(|direct| with_direct(&direct, old, new)) {
                AccountData::set_in(&mut tx, user, None, "m.direct", &direct).await?;
                changed = true;
            }
            if changed {
                tx.commit().await?;
            }
            Ok::<_, kv::Error>(())
        })
        .await?;
        Ok(())
    }

    /// Repeats rules with conditions on the old room, such as the one that mutes it, for the new one.
    async fn carry_conditional_rules(&self, user: &UserId, old: &RoomId, new: &RoomId) -> Result<()> {
        let rules = self.rules.of(user).await?;
        for (kind, list) in [(RuleKind::Override, &rules.override_), (RuleKind::Underride, &rules.underride)] {
            for rule in list.iter().filter(|rule| !rule.default && rule.conditions.iter().any(|c| is_of(c, old))) {
                let id = renamed(&rule.rule_id, old, new);
                if list.iter().any(|rule| rule.rule_id == id) {
                    continue;
                }
                let conditions = rule.conditions.iter().map(|condition| moved(condition, old, new)).collect();
                let copy = NewConditionalPushRule::new(id.clone(), conditions, rule.actions.clone());
                let copy = match kind {
                    RuleKind::Underride => NewPushRule::Underride(copy),
                    _ => NewPushRule::Override(copy),
                };
                self.rules.put(user, copy, Some(&rule.rule_id), None).await?;
                self.rules.set_enabled(user, &kind, &id, rule.enabled).await?;
            }
        }
        Ok(())
    }
}

/// `m.direct` with the new room wherever the old one stands; `None` if that changes nothing.
fn with_direct(direct: &str, old: &RoomId, new: &RoomId) -> Option<String> {
    let mut direct: Value = serde_json::from_str(direct).ok()?;
    let mut changed = false;
    for rooms in direct.as_object_mut()?.values_mut() {
        let Some(rooms) = rooms.as_array_mut() else { continue };
        let has = |room: &RoomId| rooms.iter().any(|entry| entry.as_str() == Some(room.as_str()));
        if has(old) && !has(new) {
            rooms.push(json!(new));
            changed = true;
        }
    }
    changed.then(|| direct.to_string())
}

/// Whether a condition asks for this room.
fn is_of(condition: &PushCondition, room: &RoomId) -> bool {
    matches!(condition, PushCondition::EventMatch(data) if data.key == "room_id" && data.pattern == room.as_str())
}

fn moved(condition: &PushCondition, old: &RoomId, new: &RoomId) -> PushCondition {
    match condition {
        PushCondition::EventMatch(data) if is_of(condition, old) => {
            PushCondition::EventMatch(EventMatchConditionData::new(data.key.clone(), new.to_string()))
        }
        other => other.clone(),
    }
}

/// The id of the copy of a rule: clients name rules for a room by it.
fn renamed(id: &str, old: &RoomId, new: &RoomId) -> String {
    if id.contains(old.as_str()) { id.replace(old.as_str(), new.as_str()) } else { format!("{id}_{new}") }
}
