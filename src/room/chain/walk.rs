//! Authorization chains.

use std::collections::HashSet;

use kv::Read;

use crate::{
    Result, Rooms,
    lookup::rules,
    num::{EventNum, RoomNum},
};

/// Most events of a chain. The largest public rooms have some hundred thousand.
const MAX_CHAIN: usize = 500_000;
/// Rows read at a time.
const STEP: usize = 1000;

impl Rooms {
    /// The events that allow `starts`, those that allow these, and so on, each once and in order of their numbers.
    /// `starts` themselves are in it only if they allow one another. Events that this room does not have are passed
    /// over. The create event is in it where no event names it, since room version 12, as all rest on it.
    ///
    /// # Errors
    /// When storage fails. Server-server API, "Auth chain".
    pub async fn auth_chain(&self, read: &impl Read, room: RoomNum, starts: &[EventNum]) -> Result<Vec<EventNum>> {
        let mut chain = HashSet::new();
        let mut read_already: HashSet<EventNum> = HashSet::new();
        let mut ahead: Vec<EventNum> = starts.to_vec();
        while !ahead.is_empty() {
            let now = ahead.split_off(ahead.len().saturating_sub(STEP));
            let now: Vec<_> = now.into_iter().filter(|num| read_already.insert(*num)).collect();
            for (_, allowed_by) in self.auth_edges(read, room, &now).await? {
                ahead.extend(allowed_by.into_iter().filter(|num| chain.insert(*num)));
            }
            if chain.len() > MAX_CHAIN {
                tracing::warn!(room = room.0, "an authorization chain is longer than any should be: it is cut");
                break;
            }
        }
        if let Some(create) = self.implied_create(read, room).await?
            && starts.iter().any(|start| *start != create)
        {
            chain.insert(create);
        }
        let mut chain: Vec<_> = chain.into_iter().collect();
        chain.sort_unstable();
        Ok(chain)
    }

    /// The create event of a room whose events do not name it.
    async fn implied_create(&self, read: &impl Read, room: RoomNum) -> Result<Option<EventNum>> {
        let info = self.info(read, room).await?;
        if !rules(&info.version)?.authorization.room_create_event_id_as_room_id {
            return Ok(None);
        }
        let Some(id) = event::create_event_id(&info.id) else { return Ok(None) };
        Ok(self.locate(read, &id).await?.filter(|at| at.room == room).map(|at| at.num))
    }
}
