//! Finding an event by when it was sent.

use kv::Read;
use ruma::ServerName;

use crate::{
    Direction, EventRow, Result, Rooms, Viewer,
    num::{EventNum, Place, RoomNum},
    tables::TIMELINE,
};

/// Events looked at on both sides of where the right one should be: servers' clocks differ, and application
/// services date events as they like, so times do not rise all along a timeline.
const AROUND: usize = 50;
/// Pages walked on when none of those is for the viewer.
const MAX_PAGES: usize = 20;

/// Who looks for an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Eyes<'a> {
    /// A user of this server.
    User(&'a Viewer<'a>),
    /// Another server.
    Server(&'a ServerName),
}

/// A run of places without gaps.
pub(crate) struct Segment {
    pub first: Place,
    pub last: Place,
}

impl Rooms {
    /// The event closest to `ts` (milliseconds since the Unix epoch), not before it going forward and not after it
    /// going backward, among those that the viewer may see.
    ///
    /// Halves the timeline, which rises in time but for disorder among neighbours; an event that is dated far from
    /// its neighbours may be missed. Client-server API, "Getting events for a room".
    ///
    /// # Errors
    /// When storage fails.
    pub async fn event_by_time(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        ts: u64,
        direction: Direction,
    ) -> Result<Option<(EventNum, EventRow)>> {
        self.seen_by_time(read, room, Eyes::User(viewer), ts, direction).await
    }

    pub(crate) async fn seen_by_time(
        &self,
        read: &impl Read,
        room: RoomNum,
        eyes: Eyes<'_>,
        ts: u64,
        direction: Direction,
    ) -> Result<Option<(EventNum, EventRow)>> {
        let mut best: Option<(EventNum, EventRow)> = None;
        for segment in self.segments(read, room).await? {
            let found = self.closest_in(read, room, eyes, &segment, ts, direction).await?;
            let closer = |new: &EventRow, old: &EventRow| distance(new, ts) < distance(old, ts);
            if let Some(found) = found
                && best.as_ref().is_none_or(|best| closer(&found.1, &best.1))
            {
                best = Some(found);
            }
        }
        Ok(best)
    }

    /// The parts of the timeline, in order.
    pub(crate) async fn segments(&self, read: &impl Read, room: RoomNum) -> Result<Vec<Segment>> {
        let mut all = Vec::new();
        let mut from = Place::MIN;
        loop {
            let next = read.scan(&TIMELINE, TIMELINE.from(&(room,), &(room, from))).by(1).next().await?;
            let Some(((_, first), _)) = next else { return Ok(all) };
            let end = Place { rank: first.rank, ordinal: i64::MAX };
            let last = read.scan_back(&TIMELINE, TIMELINE.upto(&(room,), &(room, end))).by(1).next().await?;
            all.push(Segment { first, last: last.map_or(first, |((_, last), _)| last) });
            let Some(rank) = first.rank.checked_add(1) else { return Ok(all) };
            from = Place { rank, ordinal: i64::MIN };
        }
    }

    async fn closest_in(
        &self,
        read: &impl Read,
        room: RoomNum,
        eyes: Eyes<'_>,
        segment: &Segment,
        ts: u64,
        direction: Direction,
    ) -> Result<Option<(EventNum, EventRow)>> {
        let rank = segment.first.rank;
        let (mut low, mut high) = (segment.first.ordinal, segment.last.ordinal.saturating_add(1));
        // The first place whose event is not before `ts`.
        while low < high {
            let middle = halfway(low, high);
            let page = self.timeline(read, room, Place { rank, ordinal: middle }.prev(), Direction::Forward, 1).await?;
            match page.events.first() {
                Some((place, _, row)) if place.rank == rank && row.event.origin_server_ts() < ts => {
                    low = place.ordinal.saturating_add(1).max(middle.saturating_add(1));
                }
                _ => high = middle,
            }
        }
        let at = Place { rank, ordinal: low };
        let before = self.timeline(read, room, at, Direction::Backward, AROUND).await?;
        let after = self.timeline(read, room, at.prev(), Direction::Forward, AROUND).await?;
        let near = before.events.into_iter().chain(after.events).map(|(_, num, row)| (num, row)).collect();
        if let Some(found) = self.closest(read, room, eyes, near, ts, direction).await? {
            return Ok(Some(found));
        }
        self.walk_on(read, room, eyes, at, ts, direction).await
    }

    /// Goes on from `at` until the viewer may see something.
    async fn walk_on(
        &self,
        read: &impl Read,
        room: RoomNum,
        eyes: Eyes<'_>,
        at: Place,
        ts: u64,
        direction: Direction,
    ) -> Result<Option<(EventNum, EventRow)>> {
        let mut from = at;
        for _ in 0..MAX_PAGES {
            let page = self.timeline(read, room, from, direction, 2 * AROUND).await?;
            let Some((last, ..)) = page.events.last() else { return Ok(None) };
            from = *last;
            let rows = page.events.into_iter().map(|(_, num, row)| (num, row)).collect();
            let found = self.closest(read, room, eyes, rows, ts, direction).await?;
            if found.is_some() || page.end {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The closest of these events that lies on the right side and is for the viewer.
    async fn closest(
        &self,
        read: &impl Read,
        room: RoomNum,
        eyes: Eyes<'_>,
        rows: Vec<(EventNum, EventRow)>,
        ts: u64,
        direction: Direction,
    ) -> Result<Option<(EventNum, EventRow)>> {
        let fits = |row: &EventRow| match direction {
            Direction::Forward => row.event.origin_server_ts() >= ts,
            Direction::Backward => row.event.origin_server_ts() <= ts,
        };
        let mut rows: Vec<_> = rows.into_iter().filter(|(_, row)| fits(row)).collect();
        rows.sort_by_key(|(_, row)| row.meta.place);
        let mut seen = match eyes {
            Eyes::User(viewer) => self.visible(read, room, viewer, rows).await?,
            Eyes::Server(server) => self.visible_to_server(read, room, server, rows).await?,
        };
        // Of events of the same time, the one that is met first going in the direction.
        if direction == Direction::Backward {
            seen.reverse();
        }
        Ok(seen.into_iter().min_by_key(|(_, row)| distance(row, ts)))
    }
}

fn distance(row: &EventRow, ts: u64) -> u64 {
    row.event.origin_server_ts().abs_diff(ts)
}

/// Between the two, below `high`: `midpoint` rounds towards zero, which is up below zero.
fn halfway(low: i64, high: i64) -> i64 {
    low.saturating_add(high.saturating_sub(low) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_goes_on_below_zero_as_above() {
        for (low, high) in [(-5, -4), (-1, 0), (-3, 4), (0, 1), (i64::MIN, i64::MAX), (i64::MIN, i64::MIN + 1)] {
            let middle = halfway(low, high);
            assert!(low <= middle && middle < high, "{middle} between {low} and {high}");
        }
    }
}
