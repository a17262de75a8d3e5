//! State and bans that the new room takes over.

use kv::Tx;
use ruma::events::TimelineEventType as Kind;
use serde_json::{Value, json};

use super::{Which, Work};
use crate::{Membership, Result, Tip};

/// State with an empty state key that is carried over as it is. Client-server API, "Room Upgrades", and what
/// administrators expect beside it: the policy server.
const CARRIED: [&str; 8] = [
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.encryption",
    "m.room.server_acl",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.policy",
];

impl Work<'_> {
    /// Copies what the old room says about itself; join rules last but for spaces, so that nobody comes in early.
    pub(super) async fn carry_state(&mut self, tx: &mut Tx, before: &Tip) -> Result<()> {
        for kind in CARRIED {
            if let Some(content) = self.old_content(tx, before, kind, "").await? {
                self.put(tx, Which::New, Kind::from(kind), "", &content).await?;
            }
        }
        if let Some(content) = self.old_content(tx, before, "m.room.join_rules", "").await? {
            let content = self.join_rules(content);
            self.put(tx, Which::New, Kind::RoomJoinRules, "", &content).await?;
        }
        if self.old.info.kind.as_deref() == Some("m.space") {
            self.carry_links(tx, before, "m.space.child").await?;
        }
        self.carry_links(tx, before, "m.space.parent").await
    }

    /// Copies the links of a space that still lead somewhere.
    async fn carry_links(&mut self, tx: &mut Tx, before: &Tip, kind: &str) -> Result<()> {
        for (state_key, content) in self.old_links(tx, before, kind).await? {
            self.put(tx, Which::New, Kind::from(kind), &state_key, &content).await?;
        }
        Ok(())
    }

    /// The links of this kind in the old room, by the room that they lead to.
    pub(super) async fn old_links(&self, tx: &Tx, before: &Tip, kind: &str) -> Result<Vec<(String, Value)>> {
        let room = self.old.num;
        let nums = self.rooms.state_nums(tx, room, before.state, Some(kind)).await?;
        let rows = self.rooms.rows(tx, room, nums).await?;
        let link = |row: crate::EventRow| {
            let content: Value = serde_json::from_str(row.event.content()).ok()?;
            content.get("via")?.as_array()?;
            Some((row.event.state_key()?.to_owned(), content))
        };
        Ok(rows.into_iter().filter_map(|(_, row)| link(row)).collect())
    }

    /// The content of a state event of the old room.
    pub(super) async fn old_content(
        &self,
        tx: &Tx,
        before: &Tip,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<Value>> {
        let event = self.rooms.state_event(tx, self.old.num, before.state, kind, state_key).await?;
        Ok(event.and_then(|pdu| serde_json::from_str(pdu.content.get()).ok()))
    }

    /// The join rules as the new version can have them: what it does not know becomes stricter.
    fn join_rules(&self, mut content: Value) -> Value {
        let rules = &self.new.rules.authorization;
        let rule = content.get("join_rule").and_then(Value::as_str).unwrap_or_default();
        let weaker = match rule {
            "knock_restricted" if rules.knock_restricted_join_rule => return content,
            "restricted" | "knock_restricted" if rules.restricted_join_rule => "restricted",
            "knock" if rules.knocking => "knock",
            "restricted" | "knock_restricted" | "knock" => "invite",
            _ => return content,
        };
        if let Value::Object(content) = &mut content {
            content.insert("join_rule".into(), json!(weaker));
        }
        content
    }

    /// Keeps out of the new room who was kept out of the old one (MSC4167).
    pub(super) async fn carry_bans(&mut self, tx: &mut Tx) -> Result<()> {
        let banned = self.rooms.members(tx, self.old.num, Membership::Ban).await?;
        let rows = self.rooms.rows(tx, self.old.num, banned.into_iter().map(|member| member.event)).await?;
        for (_, row) in rows {
            if let Some(user) = row.event.state_key()
                && let Ok(content) = serde_json::from_str(row.event.content())
            {
                self.put(tx, Which::New, Kind::RoomMember, user, &content).await?;
            }
        }
        Ok(())
    }
}
