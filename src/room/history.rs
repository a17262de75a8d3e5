//! Pages of a room's history, and what stands around an event.

use kv::Read;
use ruma::{EventId, RoomId, UserId};

use crate::{
    Access, EventRow, HistoryVisibility, Result, RoomError, Rooms, Viewer,
    filter::EventFilter,
    num::{EventNum, Place, RoomNum},
    timeline::Direction,
    token::TimelineToken,
};

/// Most events that are read for one page when most of them are left out; the page is shorter then.
const MAX_READ: usize = 5000;
/// Fewest events that are read at a time when some of them may be left out.
const READ_AHEAD: usize = 32;

type Row = (EventNum, EventRow);

/// Which part of a room's history is wanted.
#[derive(Debug, Clone, Copy)]
pub struct HistoryQuery<'a> {
    /// Where to start; at the respective end if `None`.
    pub from: Option<TimelineToken>,
    /// Where to end at the latest.
    pub to: Option<TimelineToken>,
    /// Which way to go.
    pub direction: Direction,
    /// At most so many events.
    pub limit: usize,
    /// Which events.
    pub filter: &'a EventFilter,
}

/// A part of a room's history, as the viewer may see it.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// Where it starts.
    pub start: TimelineToken,
    /// Where the next page starts; `None` if there was nothing left to read.
    pub end: Option<TimelineToken>,
    /// The page ended early, at this place: what comes before it is with other servers.
    pub gap: Option<Place>,
    /// The events in the order in which they were asked for.
    pub rows: Vec<Row>,
}

/// An event and what stands around it.
#[derive(Debug, Clone)]
pub struct Context {
    /// The event.
    pub event: Row,
    /// Events before it, newest first.
    pub before: Vec<Row>,
    /// Events after it.
    pub after: Vec<Row>,
    /// Before all of them.
    pub start: TimelineToken,
    /// After all of them.
    pub end: TimelineToken,
    /// The state at the last of them; with lazy members only those who sent one of them.
    pub state: Vec<Row>,
}

impl Rooms {
    /// A page of the history of a room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn history(
        &self,
        read: &impl Read,
        access: &Access,
        viewer: &Viewer<'_>,
        query: &HistoryQuery<'_>,
    ) -> Result<HistoryPage> {
        let direction = query.direction;
        let until = TimelineToken::after(access.until);
        let start = query.from.unwrap_or(match direction {
            Direction::Backward => until,
            Direction::Forward => TimelineToken::START,
        });
        let mut at = match direction {
            Direction::Backward => start.min(until),
            Direction::Forward => start,
        };
        let mut page = HistoryPage { start, end: None, gap: None, rows: Vec::new() };
        let mut read_so_far = 0;
        while page.rows.len() < query.limit && read_so_far < MAX_READ {
            let wanted = (query.limit - page.rows.len()).max(if page.rows.is_empty() { 1 } else { READ_AHEAD });
            let mut part = self.timeline(read, access.room, at.bound(direction), direction, wanted).await?;
            let whole = part.events.len();
            let within = |place| {
                query.to.is_none_or(|to| to.admits(place, direction)) && until.admits(place, Direction::Forward)
            };
            part.events.retain(|(place, ..)| within(*place));
            let ended = part.end || part.events.len() < whole;
            read_so_far += whole;
            let last = part.events.last().map(|(place, ..)| *place);
            let rows = part.events.into_iter().map(|(_, num, row)| (num, row)).collect();
            let rows = self.filtered(read, access.room, query.filter, rows).await?;
            page.rows.extend(self.visible(read, access.room, viewer, rows).await?);
            if page.rows.len() > query.limit {
                page.rows.truncate(query.limit);
            }
            let full = page.rows.len() == query.limit;
            let stop = if full { page.rows.last().and_then(|(_, row)| row.meta.place) } else { last };
            if let Some(stop) = stop {
                at = TimelineToken::beyond(stop, direction);
            }
            page.end = Some(at);
            if ended && !full {
                if part.gap {
                    page.end = Some(at);
                    page.gap = Some(last.unwrap_or(at.bound(direction)));
                    break;
                }
                // The next page would be empty: with something in hand the client may find that out itself.
                page.end = page.end.filter(|_| !page.rows.is_empty());
                break;
            }
        }
        Ok(page)
    }

    /// An event that the viewer may see.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`].
    pub async fn visible_event(
        &self,
        read: &impl Read,
        viewer: &Viewer<'_>,
        room: &RoomId,
        event: &EventId,
    ) -> Result<(RoomNum, Row)> {
        let room = match self.num(read, room).await {
            Err(RoomError::UnknownRoom) => return Err(RoomError::UnknownEvent),
            other => other?,
        };
        if self.is_forgotten(read, room, viewer.user).await? {
            return Err(RoomError::UnknownEvent);
        }
        let num = self.event_num(read, room, event).await?;
        let row = self.row(read, room, num).await?;
        // Asked for by its id, an event is shown even if its sender is ignored.
        let open = Viewer { ignored: &std::collections::HashSet::new(), ..*viewer };
        let row = self.visible(read, room, &open, vec![(num, row)]).await?.into_iter().next();
        Ok((room, row.ok_or(RoomError::UnknownEvent)?))
    }

    /// Whether a user has forgotten a room that not everybody may read.
    async fn is_forgotten(&self, read: &impl Read, room: RoomNum, user: &UserId) -> Result<bool> {
        if !self.user_room(read, user, room).await?.is_some_and(|part| part.value.forgotten) {
            return Ok(false);
        }
        let state = self.tip(read, room).await?.state;
        Ok(self.history_visibility(read, room, state).await? != HistoryVisibility::WorldReadable)
    }

    /// At most `limit` events around an event.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`] when the viewer may not see it.
    pub async fn context(
        &self,
        read: &impl Read,
        access: &Access,
        viewer: &Viewer<'_>,
        event: Row,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<Context> {
        let place = event.1.meta.place.ok_or(RoomError::UnknownEvent)?;
        let side = |direction, limit| HistoryQuery {
            from: Some(match direction {
                Direction::Backward => TimelineToken::before(place),
                Direction::Forward => TimelineToken::after(place),
            }),
            to: None,
            direction,
            limit,
            filter,
        };
        let before = self.history(read, access, viewer, &side(Direction::Backward, limit / 2)).await?;
        let after = self.history(read, access, viewer, &side(Direction::Forward, limit - limit / 2)).await?;
        let (num, row) = after.rows.last().unwrap_or(&event);
        let root = self.state_after(read, access.room, *num, row).await?;
        let state = if filter.lazy_members {
            let nums = self.state_nums_without_members(read, access.room, root).await?;
            let mut state = self.rows(read, access.room, nums).await?;
            let shown = before.rows.iter().chain(&after.rows).chain([&event]);
            let senders = shown.map(|(_, row)| row.event.sender()).collect();
            state.extend(self.members_of(read, access.room, root, senders).await?);
            state
        } else {
            self.state_rows(read, access.room, root, None).await?
        };
        Ok(Context {
            start: before.end.unwrap_or_else(|| TimelineToken::before(place)),
            end: after.end.unwrap_or_else(|| TimelineToken::after(place)),
            event,
            before: before.rows,
            after: after.rows,
            state,
        })
    }
}
