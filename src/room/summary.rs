//! What a room looks like from outside: for the directory, room summaries and space hierarchies.

use std::sync::Arc;

use event::Pdu;
use kv::Read;
use ruma::{OwnedRoomId, RoomVersionId, UserId};
use serde::Serialize;
use serde_json::Value;

use crate::{HistoryVisibility, Membership, Result, Rooms, Tip, num::RoomNum};

/// A room as those see it who are not in it. Client-server API, "Room Summaries".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomSummary {
    /// Its id.
    pub room_id: OwnedRoomId,
    /// Its main alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_alias: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// `type` of the create event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_type: Option<String>,
    /// How many are in it.
    pub num_joined_members: u64,
    /// How one gets in.
    pub join_rule: String,
    /// Rooms whose members may join, if the join rule is restricted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_room_ids: Vec<OwnedRoomId>,
    /// Whether everybody may read what is sent.
    pub world_readable: bool,
    /// Whether guests may join.
    pub guest_can_join: bool,
    /// The encryption algorithm, if the room is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// Its version.
    pub room_version: RoomVersionId,
}

/// The content of a state event, or null.
fn content(pdu: Option<Arc<Pdu>>) -> Value {
    pdu.and_then(|pdu| serde_json::from_str(pdu.content.get()).ok()).unwrap_or_default()
}

fn text(content: &Value, key: &str) -> Option<String> {
    content.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The rooms that a restricted join rule lets in.
fn allowed(join_rules: &Value) -> Vec<OwnedRoomId> {
    let conditions = join_rules.get("allow").and_then(Value::as_array);
    let room = |condition: &Value| {
        let is_membership = condition.get("type")?.as_str()? == "m.room_membership";
        OwnedRoomId::try_from(condition.get("room_id")?.as_str()?).ok().filter(|_| is_membership)
    };
    conditions.into_iter().flatten().filter_map(room).collect()
}

impl RoomSummary {
    /// Whether everybody may know of the room.
    pub fn is_open(&self) -> bool {
        self.world_readable || matches!(self.join_rule.as_str(), "public" | "knock" | "knock_restricted")
    }

    fn is_restricted(&self) -> bool {
        matches!(self.join_rule.as_str(), "restricted" | "knock_restricted")
    }
}

impl Rooms {
    /// What a room looks like from outside.
    ///
    /// # Errors
    /// [`crate::RoomError::UnknownRoom`].
    pub async fn summary(&self, read: &impl Read, room: RoomNum) -> Result<RoomSummary> {
        let tip = read.peek(&crate::tables::TIPS, room).await?.ok_or(crate::RoomError::UnknownRoom)?;
        self.summary_at(read, room, &tip).await
    }

    /// What a room looks like from outside, where its tip is known.
    pub(crate) async fn summary_at(&self, read: &impl Read, room: RoomNum, tip: &Tip) -> Result<RoomSummary> {
        let info = self.info(read, room).await?;
        let state = async |kind: &str| -> Result<Value> {
            Ok(content(self.state_event(read, room, tip.state, kind, "").await?))
        };
        let join_rules = state("m.room.join_rules").await?;
        let mut summary = RoomSummary {
            room_id: info.id.clone(),
            canonical_alias: text(&state("m.room.canonical_alias").await?, "alias"),
            name: text(&state("m.room.name").await?, "name"),
            topic: text(&state("m.room.topic").await?, "topic"),
            avatar_url: text(&state("m.room.avatar").await?, "url"),
            room_type: info.kind.clone(),
            num_joined_members: tip.joined,
            join_rule: text(&join_rules, "join_rule").unwrap_or_else(|| "invite".into()),
            allowed_room_ids: Vec::new(),
            world_readable: self.history_visibility(read, room, tip.state).await? == HistoryVisibility::WorldReadable,
            guest_can_join: text(&state("m.room.guest_access").await?, "guest_access").as_deref() == Some("can_join"),
            encryption: text(&state("m.room.encryption").await?, "algorithm"),
            room_version: info.version.clone(),
        };
        if summary.is_restricted() {
            summary.allowed_room_ids = allowed(&join_rules);
        }
        Ok(summary)
    }

    /// Whether `user`, or nobody in particular, may know of a room: it is open, they are in it or invited, or they
    /// are in a room whose members may join.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn may_preview(
        &self,
        read: &impl Read,
        room: RoomNum,
        summary: &RoomSummary,
        user: Option<&UserId>,
    ) -> Result<bool> {
        if summary.is_open() {
            return Ok(true);
        }
        let Some(user) = user else { return Ok(false) };
        if matches!(self.membership(read, user, room).await?, Membership::Join | Membership::Invite) {
            return Ok(true);
        }
        for allowed in &summary.allowed_room_ids {
            if let Ok(allowed) = self.num(read, allowed).await
                && self.membership(read, user, allowed).await? == Membership::Join
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
