//! Finding out what other servers may know closer to a time, and where that belongs in the timeline.

use kv::Read;

use crate::{Direction, Place, Result, RoomNum, Rooms, by_time::Segment, tables::GAPS};

/// Where a part of the timeline goes that is fetched from the middle of what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// Its rank.
    pub rank: u64,
    /// The rank of the part after it, before which there is a gap.
    pub next: u64,
}

impl Rooms {
    /// Whether other servers may know an event closer to a time than the one at `found`, the closest that is here
    /// going in `direction`: there is a gap between the two, or a gap anywhere if nothing was found.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn may_be_elsewhere(
        &self,
        read: &impl Read,
        room: RoomNum,
        found: Option<Place>,
        direction: Direction,
    ) -> Result<bool> {
        let segments = self.segments(read, room).await?;
        let Some(found) = found else {
            for segment in &segments {
                if self.has_gap(read, room, segment).await? {
                    return Ok(true);
                }
            }
            return Ok(false);
        };
        let gap = match direction {
            Direction::Forward => segments.iter().find(|segment| segment.first == found),
            Direction::Backward => {
                let at = segments.iter().position(|segment| segment.last == found);
                at.and_then(|at| segments.get(at + 1))
            }
        };
        match gap {
            Some(segment) => self.has_gap(read, room, segment).await,
            None => Ok(false),
        }
    }

    /// Where an event of the time `ts` goes that is not here; `None` if nothing is missing, or there is no room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn between(&self, read: &impl Read, room: RoomNum, ts: u64) -> Result<Option<Between>> {
        let mut before = 0;
        let mut found = None;
        for segment in self.segments(read, room).await? {
            let next = segment.first.rank;
            if self.has_gap(read, room, &segment).await? {
                let rank = u64::midpoint(before, next);
                found = (before < rank && rank < next).then_some(Between { rank, next });
                let page = self.timeline(read, room, segment.first.prev(), Direction::Forward, 1).await?;
                if page.events.first().is_some_and(|(_, _, row)| row.event.origin_server_ts() >= ts) {
                    break;
                }
            }
            before = next;
        }
        Ok(found)
    }

    async fn has_gap(&self, read: &impl Read, room: RoomNum, segment: &Segment) -> Result<bool> {
        Ok(read.peek(&GAPS, (room, segment.first.rank)).await?.is_some())
    }
}
