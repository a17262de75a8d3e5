//! Reading the timeline of a room in pages.

use kv::Read;

use crate::{
    EventRow, Result, Rooms,
    num::{EventNum, Place, RoomNum},
    tables::{ROOM_STREAM, TIMELINE},
};

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From old to new.
    Forward,
    /// From new to old.
    Backward,
}

/// Events of a timeline in the order in which they were asked for.
#[derive(Debug, Clone, Default)]
pub struct TimelinePage {
    /// The events with their places.
    pub events: Vec<(Place, EventNum, EventRow)>,
    /// Whether the timeline ends here.
    pub end: bool,
    /// Whether, going backward, events are missing here that other servers may have.
    pub gap: bool,
}

impl Rooms {
    /// At most `limit` events from `from` on: after it going forward, before it going backward.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn timeline(
        &self,
        read: &impl Read,
        room: RoomNum,
        from: Place,
        direction: Direction,
        limit: usize,
    ) -> Result<TimelinePage> {
        let rows = match direction {
            Direction::Forward => read.scan(&TIMELINE, TIMELINE.after(&(room,), &(room, from))),
            Direction::Backward => read.scan_back(&TIMELINE, TIMELINE.before(&(room,), &(room, from))),
        };
        let mut places = rows.by(limit + 1).first(limit).await?;
        let mut end = places.len() < limit;
        let mut gap = false;
        if direction == Direction::Backward
            && let Some(at) = self.first_gap(read, room, from, &places, end).await?
        {
            places.truncate(at);
            (end, gap) = (true, true);
        }
        let mut rows = self.rows(read, room, places.iter().map(|(_, num)| *num)).await?.into_iter().peekable();
        let mut events = Vec::with_capacity(places.len());
        for ((_, place), num) in places {
            if let Some((num, row)) = rows.next_if(|(found, _)| *found == num) {
                events.push((place, num, row));
            }
        }
        Ok(TimelinePage { events, end, gap })
    }

    /// How many of `places`, which go back from `from`, come before the first gap. `None` if there is none.
    async fn first_gap(
        &self,
        read: &impl Read,
        room: RoomNum,
        from: Place,
        places: &[((RoomNum, Place), EventNum)],
        end: bool,
    ) -> Result<Option<usize>> {
        let mut above = from;
        for (at, ((_, place), _)) in places.iter().enumerate() {
            if place.rank != above.rank && self.gap_before(read, room, above).await?.is_some() {
                return Ok(Some(at));
            }
            above = *place;
        }
        match end {
            true => Ok(self.gap_before(read, room, above).await?.map(|_| places.len())),
            false => Ok(None),
        }
    }

    /// The place of the newest event of a room that is published at `positions`; `None` if there is none.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn place_at(&self, read: &impl Read, room: RoomNum, positions: &kv::Positions) -> Result<Option<Place>> {
        let mut newest = None;
        for (writer, n) in positions.iter() {
            let first = kv::Stamp { writer, n: 0 };
            let range = ROOM_STREAM.between(&(room, first), &(room, kv::Stamp { writer, n: n.saturating_add(1) }));
            if let Some((_, num)) = read.scan_back(&ROOM_STREAM, range).by(1).next().await? {
                let place = self.row(read, room, num).await?.meta.place;
                newest = newest.max(place);
            }
        }
        Ok(newest)
    }

    /// The events of a room after `since` up to `upto` in stream order, newest first, at most `limit`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn stream_back(
        &self,
        read: &impl Read,
        room: RoomNum,
        since: &kv::Positions,
        upto: &kv::Positions,
        limit: usize,
    ) -> Result<Vec<EventNum>> {
        let mut found = Vec::new();
        for (writer, n) in upto.iter() {
            let from = kv::Stamp { writer, n: since.of(writer).saturating_add(1) };
            let to = kv::Stamp { writer, n: n.saturating_add(1) };
            let range = ROOM_STREAM.between(&(room, from), &(room, to));
            found.extend(read.scan_back(&ROOM_STREAM, range).by(limit).first(limit).await?);
        }
        found.sort_by_key(|((_, stamp), _)| std::cmp::Reverse((stamp.n, stamp.writer)));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, num)| num).collect())
    }
}
