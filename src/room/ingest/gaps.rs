//! Where the timeline of a room has gaps: events before them are with other servers.

use kv::{Read, Tx};
use ruma::{EventId, OwnedEventId};
use serde::{Deserialize, Serialize};

use crate::{
    Result, Rooms,
    num::{Place, RoomNum},
    tables::{AWAITED, GAPS, TIMELINE},
};

/// What is missing before a part of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The events that come directly before it and are not here.
    pub missing: Vec<OwnedEventId>,
}
kv::value!(Gap);

impl Rooms {
    /// Notes that `missing` come before the part of the timeline with this rank.
    pub(super) fn open_gap(&self, tx: &mut Tx, room: RoomNum, rank: u64, missing: &[OwnedEventId]) {
        tx.put(&GAPS, (room, rank), &Gap { missing: missing.to_vec() });
        for id in missing {
            tx.put(&AWAITED, (room, id), &rank);
        }
    }

    /// Replaces what is missing before a part of the timeline; nothing missing closes the gap.
    pub(super) async fn move_gap(&self, tx: &mut Tx, room: RoomNum, rank: u64, missing: &[OwnedEventId]) -> Result<()> {
        if let Some(old) = tx.get(&GAPS, (room, rank)).await? {
            for id in old.missing {
                tx.delete(&AWAITED, (room, &*id));
            }
        }
        tx.delete(&GAPS, (room, rank));
        if !missing.is_empty() {
            self.open_gap(tx, room, rank, missing);
        }
        Ok(())
    }

    /// Whether an event that is here follows `id`, which is not.
    pub(super) async fn is_awaited(&self, tx: &Tx, room: RoomNum, id: &EventId) -> Result<bool> {
        Ok(tx.has(&AWAITED, (room, id)).await?)
    }

    /// The gap directly before the part of the timeline that `place` is in.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn gap_before(&self, read: &impl Read, room: RoomNum, place: Place) -> Result<Option<Gap>> {
        Ok(read.peek(&GAPS, (room, place.rank)).await?)
    }

    /// Whether events are missing directly before the one at `place`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn is_after_gap(&self, read: &impl Read, room: RoomNum, place: Place) -> Result<bool> {
        if self.gap_before(read, room, place).await?.is_none() {
            return Ok(false);
        }
        let before = TIMELINE.before(&(room,), &(room, place));
        let before = read.scan_back(&TIMELINE, before).by(1).next().await?;
        Ok(before.is_none_or(|((_, before), _)| before.rank != place.rank))
    }
}
