//! The events that notified a user, for `GET /notifications`, found in the timelines when somebody asks.

use std::collections::BinaryHeap;

use kv::{Read, Stamp, WriterId};
use room::{EventNum, EventRow, Membership, RoomNum, tables::ROOM_STREAM};
use ruma::push::{Action, Ruleset};

use crate::{
    Counts, PushError, Reader, Result,
    counts::Seen,
    custom::{self, Watch},
    defaults,
    judge::{self, Judge},
    signs,
};

/// Most events that one page looks at.
const MAX_LOOKED_AT: usize = 2000;
/// Events read at a time from one room.
const BATCH: usize = 32;

/// An event that notified a user.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The room.
    pub room: RoomNum,
    /// The event's number.
    pub num: EventNum,
    /// The event.
    pub row: EventRow,
    /// What the user's rules say about it.
    pub actions: Vec<Action>,
    /// Whether the user has read it.
    pub read: bool,
}

/// A page of notifications, newest first.
#[derive(Debug, Clone, Default)]
pub struct NotificationsPage {
    /// The notifications.
    pub notifications: Vec<Notification>,
    /// Where the next page starts, if there may be one.
    pub next: Option<String>,
}

/// A room while its events are walked backwards.
struct Walk<'r> {
    room: RoomNum,
    judge: Judge<'r>,
    watches: Vec<Watch>,
    seen: Seen,
    /// Events that are fetched, newest last.
    ready: Vec<(Stamp, EventNum)>,
    /// The events before this position are not fetched.
    upto: Stamp,
}

type Order = (u64, WriterId, usize);

impl Counts {
    /// A page of what notified `user` as of now, see [`Counts::notifications`].
    ///
    /// # Errors
    /// [`PushError::BadToken`].
    pub async fn page(
        &self,
        user: &ruma::UserId,
        from: Option<&str>,
        limit: usize,
        highlights: bool,
    ) -> Result<NotificationsPage> {
        let view = self.rooms.db().view();
        let reader = Reader::of(&view, user).await?;
        self.notifications(&view, &reader, from, limit, highlights).await
    }

    /// The events that notified a user before `from`, at most `limit`; only those that highlight if `highlights`.
    /// A page may have fewer and still have a next one: it looks at a bounded number of events.
    ///
    /// # Errors
    /// [`PushError::BadToken`].
    pub async fn notifications(
        &self,
        read: &impl Read,
        reader: &Reader,
        from: Option<&str>,
        limit: usize,
        highlights: bool,
    ) -> Result<NotificationsPage> {
        let upto = from.map_or(Ok(Stamp { writer: WriterId(u16::MAX), n: u64::MAX }), parse)?;
        let mut walks = Vec::new();
        let mut heap: BinaryHeap<Order> = BinaryHeap::new();
        for (room, row) in self.rooms.user_rooms(read, &reader.user).await? {
            if row.value.membership == Membership::Join {
                let mut walk = self.walk(read, reader, room, upto).await?;
                if let Some(at) = walk.peek(read).await? {
                    heap.push((at.n, at.writer, walks.len()));
                    walks.push(walk);
                }
            }
        }
        let defaults = defaults::ruleset(&reader.user);
        let mut page = NotificationsPage::default();
        let mut last = None;
        for _ in 0..MAX_LOOKED_AT {
            if page.notifications.len() == limit {
                break;
            }
            let Some((_, _, index)) = heap.pop() else { return Ok(page) };
            let Some(walk) = walks.get_mut(index) else { continue };
            let Some((at, num)) = walk.ready.pop() else { continue };
            last = Some(at);
            if let Some(found) = self.look(read, reader, &defaults, walk, num).await?
                && (!highlights || judge::highlights(&found.actions))
            {
                page.notifications.push(found);
            }
            if let Some(at) = walk.peek(read).await? {
                heap.push((at.n, at.writer, index));
            }
        }
        page.next = last.filter(|_| !heap.is_empty()).map(|at| format!("n{}_{}", at.n, at.writer.0));
        Ok(page)
    }

    async fn walk<'r>(&self, read: &impl Read, reader: &'r Reader, room: RoomNum, upto: Stamp) -> Result<Walk<'r>> {
        let id = &self.rooms.info(read, room).await?.id;
        let judge = Judge::new(&reader.rules, id);
        let watches = custom::watches(&reader.rules, id).take(custom::MAX_WATCHES).collect();
        let mut seen = self.seen(read, &reader.user, room).await?;
        seen.add_threads_written_in(read, &reader.user, room).await?;
        Ok(Walk { room, judge, watches, seen, ready: Vec::new(), upto })
    }

    /// What a user's rules say about an event; `None` if it does not notify.
    async fn look(
        &self,
        read: &impl Read,
        reader: &Reader,
        defaults: &Ruleset,
        walk: &mut Walk<'_>,
        num: EventNum,
    ) -> Result<Option<Notification>> {
        let Walk { room, judge, watches, seen, .. } = walk;
        let row = self.rooms.row(read, *room, num).await?;
        let Some((place, joined)) = row.meta.place.zip(seen.joined) else { return Ok(None) };
        if place <= joined {
            // What is older is from before the user came.
            (walk.ready, walk.upto) = (Vec::new(), Stamp { n: 0, ..walk.upto });
            return Ok(None);
        }
        let is_hidden = row.meta.redacted_by.is_some() || read.has(&room::tables::HELD, (*room, num)).await?;
        if is_hidden || row.event.sender() == reader.user {
            return Ok(None);
        }
        let tip = self.rooms.tip(read, *room).await?;
        let info = self.rooms.info(read, *room).await?;
        let Some(facts) = signs::facts(&self.rooms, read, *room, &info.id, &tip, &row).await? else { return Ok(None) };
        if reader.ignored.contains(facts.sender) {
            return Ok(None);
        }
        let name = match signs::needs_name(watches) {
            true => signs::display_name(&self.rooms, read, *room, &tip, &reader.user).await?,
            false => None,
        };
        let own = signs::own(&facts, watches, name.as_deref());
        let is_mentioned = signs::mentions(&facts).contains(&&*reader.user);
        let impersonal = signs::defaults(&facts, defaults);
        let signature = signs::signature(impersonal, is_mentioned, own);
        let actions = judge.actions(&signature, Some(facts.sender)).to_vec();
        if !judge::notifies(&actions) {
            return Ok(None);
        }
        let thread = self.rooms.thread_root_of(read, *room, num).await?;
        let read = seen.has_read(place, thread);
        Ok(Some(Notification { room: *room, num, actions, read, row }))
    }
}

impl Walk<'_> {
    /// The position of the next event.
    async fn peek(&mut self, read: &impl Read) -> Result<Option<Stamp>> {
        if self.ready.is_empty() && self.upto.n > 0 {
            let range = ROOM_STREAM.before(&(self.room,), &(self.room, self.upto));
            let rows = read.scan_back(&ROOM_STREAM, range).by(BATCH).first(BATCH).await?;
            self.ready = rows.into_iter().rev().map(|((_, at), num)| (at, num)).collect();
            self.upto = self.ready.first().map_or(Stamp { n: 0, ..self.upto }, |(at, _)| *at);
        }
        Ok(self.ready.last().map(|(at, _)| *at))
    }
}

fn parse(token: &str) -> Result<Stamp> {
    let parts = token.strip_prefix('n').and_then(|rest| rest.split_once('_'));
    let stamp =
        parts.and_then(|(n, writer)| Some(Stamp { n: n.parse().ok()?, writer: WriterId(writer.parse().ok()?) }));
    stamp.ok_or(PushError::BadToken)
}
