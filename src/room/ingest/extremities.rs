//! The ends of a room's event graph.

use std::collections::HashSet;

use event::Pdu;
use kv::Tx;
use ruma::OwnedEventId;

use crate::{
    Result, Rooms, Tip,
    num::{EventNum, RoomNum},
    row::{Extremity, Placement},
};

/// Most rejected and soft-failed events in a row that are looked behind.
const MAX_HIDDEN: usize = 256;

impl Rooms {
    /// The extremities of a room with `pdu` in it. What it follows is none any more, also if only events that were
    /// not let in stand between; it is none itself if another event follows it already.
    pub(super) async fn extremities_with(
        &self,
        tx: &Tx,
        room: RoomNum,
        tip: &Tip,
        pdu: &Pdu,
        num: EventNum,
    ) -> Result<Vec<Extremity>> {
        let behind = self.behind(tx, room, pdu).await?;
        let mut left: Vec<_> = tip.extremities.iter().filter(|e| !behind.contains(&e.id)).cloned().collect();
        if !self.is_awaited(tx, room, &pdu.event_id).await? || left.is_empty() {
            left.push(Extremity { num, id: pdu.event_id.clone(), depth: pdu.depth });
        }
        Ok(left)
    }

    /// The previous events of `pdu`, and those of the hidden ones among them.
    async fn behind(&self, tx: &Tx, room: RoomNum, pdu: &Pdu) -> Result<HashSet<OwnedEventId>> {
        let mut behind: HashSet<_> = pdu.prev_events.iter().cloned().collect();
        let mut open = pdu.prev_events.clone();
        while let Some(id) = open.pop() {
            let Some(at) = self.locate(tx, &id).await?.filter(|at| at.room == room) else { continue };
            let row = self.row(tx, room, at.num).await?;
            // An outlier says what it follows, but nobody has followed that up to the room's state.
            let open_end = row.meta.is_shown() || row.meta.placement == Placement::Outlier;
            if open_end || behind.len() > MAX_HIDDEN {
                continue;
            }
            for id in &self.pdu(tx, room, at.num).await?.prev_events {
                if behind.insert(id.clone()) {
                    open.push(id.clone());
                }
            }
        }
        Ok(behind)
    }
}
