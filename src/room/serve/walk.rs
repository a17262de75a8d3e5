//! Walking back along the event graph: backfill and missing events.

use std::collections::{BinaryHeap, HashSet};

use bytes::Bytes;
use event::RoomVersionRules;
use kv::Read;
use ruma::{EventId, OwnedEventId, ServerName};

use super::edges::{Along, edges};
use crate::{
    EventRow, Result, Rooms,
    lookup::rules,
    num::{EventNum, RoomNum},
    row::{Placement, Verdict},
};

/// Most events of a backfill.
const MAX_BACKFILL: usize = 100;
/// Most missing events.
const MAX_MISSING: usize = 20;
/// Most events that a request may name as its start or its end.
const MAX_NAMED: usize = 100;
/// Events looked at for each one that may be answered: rejected ones are passed over.
const LOOKED_AT: usize = 10;

/// What a server wants that found a gap.
#[derive(Debug, Clone, Default)]
pub struct Missing {
    /// Events that it has, and wants nothing before.
    pub earliest: Vec<OwnedEventId>,
    /// Events that it has, and wants what is before them.
    pub latest: Vec<OwnedEventId>,
    /// At most so many.
    pub limit: usize,
    /// Nothing of a smaller depth.
    pub min_depth: u64,
}

/// A walk from new to old: deepest first, and of equal depth the one that came last.
struct Walk<'a> {
    room: RoomNum,
    rules: &'a RoomVersionRules,
    ahead: BinaryHeap<(u64, EventNum)>,
    rows: std::collections::HashMap<EventNum, EventRow>,
    met: HashSet<OwnedEventId>,
    left: usize,
}

impl<'a> Walk<'a> {
    fn new(room: RoomNum, rules: &'a RoomVersionRules, limit: usize) -> Self {
        let left = limit.saturating_mul(LOOKED_AT);
        Self { room, rules, ahead: BinaryHeap::new(), rows: Default::default(), met: HashSet::new(), left }
    }

    /// Puts events on the way, each once.
    async fn add(&mut self, rooms: &Rooms, read: &impl Read, ids: Vec<OwnedEventId>) -> Result<()> {
        let fresh: Vec<_> = ids.into_iter().filter(|id| self.met.insert(id.clone())).collect();
        let nums = rooms.nums_of(read, self.room, &fresh).await?;
        for (num, row) in rooms.rows(read, self.room, nums.into_values()).await? {
            // Of an outlier nothing is known but itself.
            if row.meta.placement != Placement::Outlier {
                self.ahead.push((row.event.depth(), num));
                self.rows.insert(num, row);
            }
        }
        Ok(())
    }

    /// The next event, unless too many were looked at.
    fn next(&mut self) -> Option<(EventNum, EventRow)> {
        self.left = self.left.checked_sub(1)?;
        let (_, num) = self.ahead.pop()?;
        Some((num, self.rows.remove(&num)?))
    }

    fn before(&self, row: &EventRow) -> Vec<OwnedEventId> {
        edges(row, Along::Previous, self.rules)
    }
}

impl Rooms {
    /// The events `from` and what came before them, newest first, at most `limit` (and 100), as `server` may see
    /// them.
    ///
    /// # Errors
    /// When storage fails. Server-server API, "Backfilling and retrieving missing events".
    pub async fn backfill_for(
        &self,
        read: &impl Read,
        room: RoomNum,
        server: &ServerName,
        from: &[OwnedEventId],
        limit: usize,
    ) -> Result<Vec<Bytes>> {
        let limit = limit.min(MAX_BACKFILL);
        let rules = rules(&self.info(read, room).await?.version)?;
        let mut walk = Walk::new(room, &rules, limit);
        walk.add(self, read, from.iter().take(MAX_NAMED).cloned().collect()).await?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some((num, row)) = walk.next()
        {
            walk.add(self, read, walk.before(&row)).await?;
            if row.meta.verdict == Verdict::Accepted {
                found.push((num, row));
            }
        }
        self.for_server(read, room, server, &found).await
    }

    /// What lies between the latest and the earliest events that a server has, oldest first, as it may see them.
    ///
    /// # Errors
    /// When storage fails. Server-server API, "Backfilling and retrieving missing events".
    pub async fn missing_for(
        &self,
        read: &impl Read,
        room: RoomNum,
        server: &ServerName,
        missing: &Missing,
    ) -> Result<Vec<Bytes>> {
        let limit = missing.limit.min(MAX_MISSING);
        let rules = rules(&self.info(read, room).await?.version)?;
        let mut walk = Walk::new(room, &rules, limit);
        walk.met.extend(missing.earliest.iter().take(MAX_NAMED).cloned());
        let latest: HashSet<&EventId> = missing.latest.iter().take(MAX_NAMED).map(|id| &**id).collect();
        walk.left = walk.left.saturating_add(latest.len());
        walk.add(self, read, latest.iter().map(|id| (*id).to_owned()).collect()).await?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some((num, row)) = walk.next()
        {
            let is_latest = <&EventId>::try_from(row.event.event_id()).is_ok_and(|id| latest.contains(id));
            if row.event.depth() < missing.min_depth && !is_latest {
                continue;
            }
            walk.add(self, read, walk.before(&row)).await?;
            // A soft-failed event is part of the graph, and what follows it may be good.
            if !is_latest && matches!(row.meta.verdict, Verdict::Accepted | Verdict::SoftFailed) {
                found.push((num, row));
            }
        }
        found.reverse();
        self.for_server(read, room, server, &found).await
    }
}
