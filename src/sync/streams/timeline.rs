//! The newest events of a room.

use std::cmp::Reverse;

use kv::{Positions, Read};
use room::{Direction, EventNum, EventRow, Place, RoomNum, Rooms, state::Root, tables::ROOM_STREAM};

use crate::{Result, span::Span, streams::heroes};

/// Pages looked through for events that pass the filter.
const MAX_PAGES: usize = 8;
/// The fewest events of a page after the first.
const READ_ON: usize = 16;
/// News of a room looked through for events that pass the filter.
const MAX_FILTERED: usize = 1000;

type Placed = (Place, EventNum, EventRow);

/// The events of a room that go into a response.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Oldest first.
    pub rows: Vec<(EventNum, EventRow)>,
    /// Whether there are more before them that the client does not have.
    pub limited: bool,
    /// Where the client can read on backwards.
    pub start: Option<Place>,
    /// The state that the client has, when there is news since.
    pub known: Option<Root>,
    /// Whether who the room consists of, or how it is called, may have changed.
    pub resummarized: bool,
}

/// The newest events of a span.
struct Window {
    /// Oldest first.
    rows: Vec<(EventNum, EventRow)>,
    /// Whether there are more before them.
    more: bool,
}

impl Timeline {
    /// The state before the first event, if there is one.
    pub fn before(&self) -> Option<Root> {
        self.rows.first().map(|(_, row)| row.meta.before)
    }
}

/// The newest `limit` events before `end` (not included), whatever the client has: the newest in the event graph, in
/// order of arrival. What came late, sent beside others by a server that had not seen them, is not newer than they are.
pub async fn latest(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    end: Place,
    limit: usize,
    keep: impl Fn(&EventRow) -> bool,
) -> Result<Timeline> {
    let mut found = Vec::new();
    let mut from = end;
    // One more than wanted tells whether there are more, and whether it came before what it is newer than.
    let mut size = limit + 1;
    for _ in 0..MAX_PAGES {
        let page = rooms.timeline(read, room, from, Direction::Backward, size).await?;
        if let Some((place, ..)) = page.events.last() {
            from = *place;
        }
        found.extend(page.events.into_iter().filter(|(_, _, row)| keep(row)));
        if page.end {
            return Ok(newest(found, limit, from, !page.gap));
        }
        if is_settled(&found, limit) {
            break;
        }
        size = size.max(READ_ON);
    }
    Ok(newest(found, limit, from, false))
}

/// Whether more of the past would not change which of `found`, latest arrival first, are the `limit` newest.
fn is_settled(found: &[Placed], limit: usize) -> bool {
    found.last().is_some_and(|(_, _, oldest)| {
        found.iter().filter(|(_, _, row)| row.event.depth() >= oldest.event.depth()).count() > limit
    })
}

/// The `limit` newest of `found`, all that was kept of what was read back to `from`; `whole` if nothing is before that.
fn newest(mut found: Vec<Placed>, limit: usize, from: Place, whole: bool) -> Timeline {
    found.sort_by_key(|(place, _, row)| Reverse((row.event.depth(), *place)));
    let left_out = found.split_off(limit.min(found.len()));
    found.sort_by_key(|(place, ..)| *place);
    // Who reads on backwards meets all that was left out.
    let start = left_out.iter().map(|(place, ..)| place.next()).max().unwrap_or(from);
    Timeline {
        rows: found.into_iter().map(|(_, num, row)| (num, row)).collect(),
        limited: !whole || !left_out.is_empty(),
        start: Some(start),
        ..Timeline::default()
    }
}

/// At most `limit` of the events in `span`, the newest.
pub async fn news(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    span: Span<'_>,
    limit: usize,
    keep: impl Fn(&EventRow) -> bool,
) -> Result<Timeline> {
    let Some(since) = span.since else { return latest(rooms, read, room, Place::MAX, limit, keep).await };
    let mut window = last_of(rooms, read, room, (since, span.upto), limit).await?;
    // What the filter leaves out is no reason to send less than is asked for.
    if window.more && window.rows.iter().filter(|(_, row)| keep(row)).count() < limit {
        window = last_of(rooms, read, room, (since, span.upto), MAX_FILTERED).await?;
    }
    let Window { mut rows, more: mut limited } = window;
    if rows.is_empty() && !limited {
        return Ok(Timeline::default());
    }
    // What comes before missing events is not what the client reads next to those after them.
    if let Some(first) = last_break(rooms, read, room, &rows).await? {
        rows.drain(..first);
        limited = true;
    }
    let resummarized = rows.iter().any(|(_, row)| heroes::matters(row.event.kind()));
    let oldest = rows.first().map(|(_, row)| row.meta.place);
    let known = match rows.first() {
        Some((num, row)) if !limited => Some(rooms.state_when(read, room, *num, row).await?),
        _ => first_state(rooms, read, room, span).await?,
    };
    rows.retain(|(_, row)| keep(row));
    // With a limit of zero the client reads on from the end.
    let mut start = oldest.unwrap_or(Some(Place::MAX));
    if rows.len() > limit {
        rows.drain(..rows.len() - limit);
        limited = true;
        start = rows.first().map_or(Some(Place::MAX), |(_, row)| row.meta.place);
    }
    Ok(Timeline { rows, limited, start, known, resummarized })
}

/// At most `size` of the events after `since` up to `upto`, the newest.
async fn last_of(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    (since, upto): (&Positions, &Positions),
    size: usize,
) -> Result<Window> {
    let nums = rooms.stream_back(read, room, since, upto, size + 1).await?;
    let more = nums.len() > size;
    let rows = rooms.rows(read, room, nums.into_iter().take(size).rev()).await?;
    Ok(Window { rows, more })
}

/// Where in `rows`, oldest first, those begin that no missing events part from the newest; `None` if none are missing.
async fn last_break(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    rows: &[(EventNum, EventRow)],
) -> Result<Option<usize>> {
    let place = |at: usize| rows.get(at).and_then(|(_, row)| row.meta.place);
    for at in (0..rows.len()).rev() {
        let Some(here) = place(at) else { continue };
        let follows = at.checked_sub(1).and_then(place).is_some_and(|before| before.rank == here.rank);
        if !follows && rooms.is_after_gap(read, room, here).await? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The state when the first event in `span` came: what the client has.
pub async fn first_state(rooms: &Rooms, read: &impl Read, room: RoomNum, span: Span<'_>) -> Result<Option<Root>> {
    let mut first: Option<(u64, EventNum)> = None;
    for (from, to) in span.stamps() {
        let range = ROOM_STREAM.between(&(room, from), &(room, to));
        if let Some(((_, stamp), num)) = read.scan(&ROOM_STREAM, range).by(1).next().await?
            && first.is_none_or(|(n, _)| stamp.n < n)
        {
            first = Some((stamp.n, num));
        }
    }
    match first {
        Some((_, num)) => {
            let row = rooms.row(read, room, num).await?;
            Ok(Some(rooms.state_when(read, room, num, &row).await?))
        }
        None => Ok(None),
    }
}
