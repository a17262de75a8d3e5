//! Events that refer to one event, and the threads of a room, in pages.

use std::collections::HashSet;

use kv::Read;

use super::{Child, Class};
use crate::{
    EventRow, Result, Rooms, Viewer,
    num::{EventNum, Place, RoomNum},
    tables::{CHILDREN, THREAD_LIST, THREAD_USERS},
    timeline::Direction,
    token::TimelineToken,
};

/// How many relations `recurse` follows. Client-server API, "Relationships API": at least three.
const MAX_DEPTH: usize = 3;
/// Most events that one recursive request looks at.
const MAX_RECURSED: usize = 1000;
/// Most events of one relation class that are looked at for one page when most of them are of other types.
const MAX_LOOKED_AT: usize = if cfg!(test) { 20 } else { 5000 };
/// Threads looked at for one page when most of them are left out.
const MAX_THREADS: usize = 1000;

/// Which of the events that refer to an event are wanted.
#[derive(Debug, Clone)]
pub struct RelationsQuery<'a> {
    /// The event that they refer to.
    pub parent: EventNum,
    /// Only these relations.
    pub rel_type: Option<&'a str>,
    /// Only this event type.
    pub kind: Option<&'a str>,
    /// Where the page starts; at the respective end if `None`.
    pub from: Option<TimelineToken>,
    /// Where it ends at the latest.
    pub to: Option<TimelineToken>,
    /// In which order.
    pub direction: Direction,
    /// At most so many.
    pub limit: usize,
    /// Whether events that refer to those are wanted too.
    pub recurse: bool,
}

/// A page of events that refer to an event.
#[derive(Debug, Clone, Default)]
pub struct RelationsPage {
    /// The events that the viewer may see.
    pub rows: Vec<(EventNum, EventRow)>,
    /// Where the next page starts, if there is one.
    pub next: Option<TimelineToken>,
    /// How deep relations were followed, if they were.
    pub depth: Option<u8>,
}

/// Which threads are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Include {
    /// All of them.
    All,
    /// Those that the viewer wrote in.
    Participated,
}

/// A page of threads.
#[derive(Debug, Clone, Default)]
pub struct ThreadsPage {
    /// The roots, newest thread first.
    pub roots: Vec<(EventNum, EventRow)>,
    /// Where the next page starts, if there is one.
    pub next: Option<TimelineToken>,
}

type Found = (Place, EventNum);

/// Events that refer to one event.
#[derive(Default)]
struct Children {
    found: Vec<Found>,
    /// Nothing was looked for beyond this place.
    horizon: Option<Place>,
}

impl Rooms {
    /// A page of the events that refer to an event.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn relations(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        query: &RelationsQuery<'_>,
    ) -> Result<RelationsPage> {
        let (Children { mut found, horizon }, depth) = if query.recurse {
            let (found, depth) = self.recursed(read, room, query).await?;
            (Children { found, horizon: None }, Some(depth))
        } else {
            (self.children(read, room, query.parent, query, query.limit + 1).await?, None)
        };
        if let Some(horizon) = horizon {
            let point = TimelineToken::beyond(horizon, query.direction);
            found.retain(|(place, _)| point.admits(*place, query.direction));
        }
        match query.direction {
            Direction::Forward => found.sort_unstable(),
            Direction::Backward => found.sort_unstable_by(|a, b| b.cmp(a)),
        }
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let last = found.last().filter(|_| more).map(|(place, _)| *place);
        let next = last.or(horizon).map(|place| TimelineToken::beyond(place, query.direction));
        let rows = self.rows(read, room, found.into_iter().map(|(_, num)| num)).await?;
        let rows = self.visible(read, room, viewer, rows).await?;
        Ok(RelationsPage { rows, next, depth })
    }

    /// The first `limit` events of each relation class that refer to `parent`, within the bounds of the query.
    async fn children(
        &self,
        read: &impl Read,
        room: RoomNum,
        parent: EventNum,
        query: &RelationsQuery<'_>,
        limit: usize,
    ) -> Result<Children> {
        let mut children = Children::default();
        for class in Class::ALL {
            if query.rel_type.is_some_and(|wanted| Class::of(wanted) != class) {
                continue;
            }
            let under = (room, class.code(), parent);
            let at = |place| (room, class.code(), parent, place);
            let from = query.from.map(|from| from.bound(query.direction));
            let mut page = match (query.direction, from) {
                (Direction::Forward, Some(from)) => read.scan(&CHILDREN, CHILDREN.after(&under, &at(from))),
                (Direction::Backward, Some(from)) => read.scan_back(&CHILDREN, CHILDREN.before(&under, &at(from))),
                (Direction::Forward, None) => read.scan(&CHILDREN, CHILDREN.under(&under)),
                (Direction::Backward, None) => read.scan_back(&CHILDREN, CHILDREN.under(&under)),
            }
            .by(limit.clamp(1, 128));
            let (mut of_class, mut looked_at) = (0, 0);
            while of_class < limit
                && let Some(((_, _, _, place), child)) = page.next().await?
            {
                if query.to.is_some_and(|to| !to.admits(place, query.direction)) {
                    break;
                }
                if query.wants(&child) {
                    children.found.push((place, child.num));
                    of_class += 1;
                }
                looked_at += 1;
                if looked_at == MAX_LOOKED_AT {
                    children.horizon = Some(children.horizon.map_or(place, |other| match query.direction {
                        Direction::Forward => place.min(other),
                        Direction::Backward => place.max(other),
                    }));
                    break;
                }
            }
        }
        Ok(children)
    }

    /// Events that refer to the parent over at most [`MAX_DEPTH`] relations, and how deep they go.
    async fn recursed(&self, read: &impl Read, room: RoomNum, query: &RelationsQuery<'_>) -> Result<(Vec<Found>, u8)> {
        // What is in between may lie outside of the bounds, and be of any kind.
        let open = RelationsQuery { rel_type: None, kind: None, from: None, to: None, ..query.clone() };
        let mut seen = HashSet::from([query.parent]);
        let mut all = Vec::new();
        let mut level = vec![query.parent];
        let mut depth = 0;
        while depth < MAX_DEPTH && !level.is_empty() && seen.len() < MAX_RECURSED {
            depth += 1;
            let mut next = Vec::new();
            for parent in level {
                if seen.len() >= MAX_RECURSED {
                    break;
                }
                let wanted = self.children(read, room, parent, query, MAX_RECURSED).await?.found;
                all.extend(wanted.into_iter().filter(|(_, num)| !seen.contains(num)));
                let below = self.children(read, room, parent, &open, MAX_RECURSED).await?.found;
                next.extend(below.into_iter().map(|(_, num)| num).filter(|num| seen.insert(*num)));
            }
            level = next;
        }
        Ok((all, u8::try_from(depth).unwrap_or(u8::MAX)))
    }

    /// A page of the threads of a room, the one with the newest event first.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn threads(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        include: Include,
        from: Option<TimelineToken>,
        limit: usize,
    ) -> Result<ThreadsPage> {
        let range = match from {
            Some(from) => THREAD_LIST.before(&(room,), &(room, from.bound(Direction::Backward), EventNum(0))),
            None => THREAD_LIST.under(&(room,)),
        };
        let mut list = read.scan_back(&THREAD_LIST, range).by(limit + 1);
        let mut page = ThreadsPage::default();
        let mut last = None;
        for _ in 0..MAX_THREADS {
            let Some(((_, place, root), ())) = list.next().await? else { return Ok(page) };
            if page.roots.len() == limit {
                page.next = last.map(TimelineToken::before);
                return Ok(page);
            }
            last = Some(place);
            let row = self.rows(read, room, [root]).await?;
            let row = self.visible(read, room, viewer, row).await?;
            let Some((num, row)) = row.into_iter().next() else { continue };
            let own = include == Include::All
                || row.event.sender() == viewer.user
                || read.peek(&THREAD_USERS, (room, root, viewer.user)).await?.is_some();
            if own {
                page.roots.push((num, row));
            }
        }
        page.next = last.map(TimelineToken::before);
        Ok(page)
    }
}

impl RelationsQuery<'_> {
    fn wants(&self, child: &Child) -> bool {
        let of_type = match (self.rel_type, &child.rel_type) {
            (Some(wanted), Some(other)) => wanted == other,
            _ => true,
        };
        of_type && self.kind.is_none_or(|kind| kind == child.kind)
    }
}
