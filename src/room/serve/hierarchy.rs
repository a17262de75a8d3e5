//! A space and its children, for a server that walks the hierarchy on behalf of its users.

use kv::Read;
use ruma::{OwnedRoomId, RoomId, ServerName};

use crate::{HierarchyRoom, Result, RoomError, RoomSummary, Rooms, num::RoomNum};

/// Most children of which a summary is answered; all of them are named by their events.
const MAX_CHILDREN: usize = 50;

/// A space with the summaries of its children. Server-server API, "Spaces".
#[derive(Debug, Clone, serde::Serialize)]
pub struct SpaceAnswer {
    /// The space.
    pub room: HierarchyRoom,
    /// The children that a user of the asking server could get into or read.
    pub children: Vec<RoomSummary>,
    /// The children that this server knows and that no user of the asking server can get into.
    pub inaccessible_children: Vec<OwnedRoomId>,
}

impl Rooms {
    /// A room and what this server knows of its children, as `server` may know it.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`] also when the server may not know of the room; [`RoomError::Denied`] when its
    /// access list keeps the server out.
    pub async fn hierarchy_for(
        &self,
        read: &impl Read,
        room_id: &RoomId,
        server: &ServerName,
        suggested_only: bool,
    ) -> Result<SpaceAnswer> {
        let (room, summary) = self.described(read, room_id).await?.ok_or(RoomError::UnknownRoom)?;
        if !self.acl_allows(read, room, server).await? {
            return Err(RoomError::Denied("your server is kept out by the room's access list".into()));
        }
        if !self.may_preview_from(read, room, &summary, server).await? {
            return Err(RoomError::UnknownRoom);
        }
        let found = self.space_children(read, room, &summary, suggested_only).await?;
        let (mut children, mut inaccessible_children) = (Vec::new(), Vec::new());
        let mut children_state = Vec::with_capacity(found.len());
        for (at, child) in found.into_iter().enumerate() {
            children_state.push(child.stripped);
            if at >= MAX_CHILDREN {
                continue;
            }
            let Some((room, summary)) = self.described(read, &child.room).await? else { continue };
            let allowed = self.acl_allows(read, room, server).await?;
            if allowed && self.may_preview_from(read, room, &summary, server).await? {
                children.push(summary);
            } else {
                inaccessible_children.push(child.room);
            }
        }
        Ok(SpaceAnswer { room: HierarchyRoom { summary, children_state }, children, inaccessible_children })
    }

    /// A room that this server is in: of others it may know how they were once.
    async fn described(&self, read: &impl Read, room_id: &RoomId) -> Result<Option<(RoomNum, RoomSummary)>> {
        let room = match self.num(read, room_id).await {
            Err(RoomError::UnknownRoom) => return Ok(None),
            other => other?,
        };
        if !self.server_is_in(read, room, self.server()).await? {
            return Ok(None);
        }
        match self.summary(read, room).await {
            Err(RoomError::UnknownRoom) => Ok(None),
            other => Ok(Some((room, other?))),
        }
    }

    /// Whether some user of `server` may know of a room: it is open, they are in it or invited, or they are in a
    /// room whose members may join.
    async fn may_preview_from(
        &self,
        read: &impl Read,
        room: RoomNum,
        summary: &RoomSummary,
        server: &ServerName,
    ) -> Result<bool> {
        if summary.is_open()
            || self.server_is_in(read, room, server).await?
            || self.has_invite_for(read, room, server).await?
        {
            return Ok(true);
        }
        for allowed in &summary.allowed_room_ids {
            if let Ok(allowed) = self.num(read, allowed).await
                && self.server_is_in(read, allowed, server).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
