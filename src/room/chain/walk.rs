//! Authorization chains.

use std::collections::HashSet;

use kv::Read;

use crate::{
    Result, Rooms,
    num::{EventNum, RoomNum},
};

/// Most events of a chain. The largest public rooms have some hundred thousand.
const MAX_CHAIN: usize = 500_000;
/// Rows read at a time.
const STEP: usize = 1000;

impl Rooms {
    /// The events that allow `starts`, those that allow these, and so on, each once and in order of their numbers.
    /// `starts` themselves are in it only if they allow one another. Events that this room does not have are passed
    /// over.
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
        let mut chain: Vec<_> = chain.into_iter().collect();
        chain.sort_unstable();
        Ok(chain)
    }
}
