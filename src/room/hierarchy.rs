//! The rooms of a space and of the spaces in it. Client-server API, "Spaces".

use kv::Read;
use ruma::{OwnedRoomId, RoomId, UserId};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{EventRow, Result, RoomError, RoomSummary, Rooms, create::raw, num::RoomNum};

/// Most rooms of a page, and how many it has when nobody says.
const PAGE: usize = 50;
/// Longest `order` of a child.
const MAX_ORDER: usize = 50;

/// Which part of a hierarchy is wanted.
#[derive(Debug, Clone, Default)]
pub struct HierarchyQuery {
    /// Most rooms to answer.
    pub limit: Option<usize>,
    /// How far from the root; 0 is the root alone.
    pub max_depth: Option<u64>,
    /// Only children that their space suggests.
    pub suggested_only: bool,
    /// Where to go on: a token of an earlier page.
    pub from: Option<String>,
}

/// A room of a hierarchy.
#[derive(Debug, Clone, serde::Serialize)]
pub struct HierarchyRoom {
    /// The room.
    #[serde(flatten)]
    pub summary: RoomSummary,
    /// Its `m.space.child` events, stripped.
    pub children_state: Vec<Box<RawValue>>,
}

/// What this server knows of a room.
#[derive(Debug, Clone)]
pub enum OwnRoom {
    /// The caller may know of it.
    Shown(Box<HierarchyRoom>),
    /// The caller may not know of it.
    Hidden,
    /// This server is not in it.
    Unknown,
}

/// An `m.space.child` event.
pub(crate) struct Child {
    order: Option<String>,
    at: u64,
    pub(crate) room: OwnedRoomId,
    pub(crate) stripped: Box<RawValue>,
}

impl Child {
    fn of(row: &EventRow, suggested_only: bool) -> Option<Self> {
        let content: Map<String, Value> = serde_json::from_str(row.event.content()).ok()?;
        content.get("via")?.as_array()?;
        if suggested_only && content.get("suggested") != Some(&Value::Bool(true)) {
            return None;
        }
        let order = content.get("order").and_then(Value::as_str).map(str::to_owned);
        let order = order.filter(|order| order.len() <= MAX_ORDER && order.bytes().all(|b| (0x20..=0x7E).contains(&b)));
        let at = row.event.origin_server_ts();
        let stripped = json!({
            "type": row.event.kind(),
            "state_key": row.event.state_key(),
            "sender": row.event.sender(),
            "content": content,
            "origin_server_ts": at,
        });
        let room = OwnedRoomId::try_from(row.event.state_key()?).ok()?;
        Some(Self { order, at, room, stripped: raw(&stripped).ok()? })
    }

    /// Children with an order come first, by it; then the older ones.
    fn rank(&self) -> (bool, &Option<String>, u64, &RoomId) {
        (self.order.is_none(), &self.order, self.at, &self.room)
    }
}

impl HierarchyQuery {
    /// What must not change from page to page, in short.
    fn fingerprint(&self, root: &RoomId) -> String {
        let text = format!("{root} {:?} {}", self.max_depth, self.suggested_only);
        blake3::hash(text.as_bytes()).to_hex().chars().take(12).collect()
    }

    /// Most rooms of a page.
    pub fn page_size(&self) -> usize {
        self.limit.filter(|limit| *limit > 0).unwrap_or(PAGE).min(PAGE)
    }

    /// The token of the page that comes after so many rooms.
    pub fn token(&self, root: &RoomId, skipped: usize) -> String {
        format!("{skipped}_{}", self.fingerprint(root))
    }

    /// How many rooms the pages before had.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] for a token that is none, or came from another request.
    pub fn skipped(&self, root: &RoomId) -> Result<usize> {
        let Some(token) = &self.from else { return Ok(0) };
        let parts = token.split_once('_').filter(|(_, print)| *print == self.fingerprint(root));
        let skipped = parts.and_then(|(skipped, _)| skipped.parse().ok());
        skipped.ok_or_else(|| RoomError::InvalidParam("from is no token of a request like this one".into()))
    }
}

impl Rooms {
    /// What this server, if it is in a room, can tell `user`, or nobody in particular, of it.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn own_room(
        &self,
        read: &impl Read,
        id: &RoomId,
        user: Option<&UserId>,
        suggested_only: bool,
    ) -> Result<OwnRoom> {
        let room = match self.num(read, id).await {
            Err(RoomError::UnknownRoom) => return Ok(OwnRoom::Unknown),
            other => other?,
        };
        if !self.server_is_in(read, room, self.server()).await? {
            return Ok(OwnRoom::Unknown);
        }
        let summary = self.summary(read, room).await?;
        if !self.may_preview(read, room, &summary, user).await? {
            return Ok(OwnRoom::Hidden);
        }
        let children = self.space_children(read, room, &summary, suggested_only).await?;
        let children_state = children.into_iter().map(|child| child.stripped).collect();
        Ok(OwnRoom::Shown(Box::new(HierarchyRoom { summary, children_state })))
    }

    /// The children of a space, in their order; none of other rooms.
    pub(crate) async fn space_children(
        &self,
        read: &impl Read,
        room: RoomNum,
        summary: &RoomSummary,
        suggested_only: bool,
    ) -> Result<Vec<Child>> {
        if summary.room_type.as_deref() != Some("m.space") {
            return Ok(Vec::new());
        }
        let tip = self.tip(read, room).await?;
        let nums = self.state_nums(read, room, tip.state, Some("m.space.child")).await?;
        let rows = self.rows(read, room, nums).await?;
        let mut children: Vec<_> = rows.iter().filter_map(|(_, row)| Child::of(row, suggested_only)).collect();
        children.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Ok(children)
    }
}
