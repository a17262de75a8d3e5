//! Unread counts, computed when somebody asks. Client-server API, "Receiving notifications".

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use account::AccountData;
use ephemeral::{Receipts, Thread};
use kv::Read;
use room::{EventNum, Place, RoomNum, Rooms};
use ruma::{OwnedEventId, OwnedUserId, UserId, push::Ruleset};
use serde::Deserialize;

use crate::{
    Result, Unread,
    judge::Judge,
    ledger::{self, ROOM, Scope, Stretch},
    rules,
    tables::{At, JOINED, THREAD_LIST, TRACES, Traces, WRITTEN},
    tally::Sums,
};

/// Unread counts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Counts {
    pub(crate) rooms: Rooms,
    receipts: Receipts,
}

/// Whose counts are wanted, with what is the same for all of their rooms.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The user.
    pub user: OwnedUserId,
    /// Their push rules.
    pub rules: Arc<Ruleset>,
    /// Whom they ignore.
    pub ignored: HashSet<OwnedUserId>,
}

/// What is unread in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomCounts {
    /// In the main timeline.
    pub main: Unread,
    /// In the main timeline and all threads.
    pub total: Unread,
    /// In each thread that has something unread, by its root, the newest first.
    pub threads: Vec<(OwnedEventId, Unread)>,
}

/// How far a user has read in a room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// When they joined; `None` if they are not in the room.
    pub joined: Option<Place>,
    /// Everything up to here, in all threads.
    pub floor: Option<Place>,
    /// The main timeline up to here.
    pub main: Option<Place>,
    /// These threads up to there.
    pub threads: BTreeMap<EventNum, Place>,
    /// What there is of theirs.
    pub traces: Traces,
}

#[derive(Deserialize)]
struct IgnoredUsers {
    ignored_users: HashMap<OwnedUserId, serde::de::IgnoredAny>,
}

impl Seen {
    /// Whether the user has read an event at `place` of this thread, or of the main timeline.
    pub(crate) fn has_read(&self, place: Place, thread: Option<EventNum>) -> bool {
        let far = match thread {
            Some(root) => self.threads.get(&root).copied(),
            None => self.main,
        };
        self.floor.max(far) >= Some(place)
    }

    /// Notes the threads that `user` has read by writing there.
    pub(crate) async fn add_threads_written_in(
        &mut self,
        read: &impl Read,
        user: &UserId,
        room: RoomNum,
    ) -> Result<()> {
        let mut written = read.scan(&WRITTEN, WRITTEN.under(&(room, user)));
        while let Some(((.., root), At(place))) = written.next().await? {
            self.add_thread(root, place);
        }
        Ok(())
    }

    fn add_thread(&mut self, root: EventNum, place: Place) {
        let far = self.threads.entry(root).or_insert(place);
        *far = place.max(*far);
    }
}

impl Reader {
    /// Reads a user's rules and whom they ignore. [`crate::Rules::reader`] does that without parsing again.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn of(read: &impl Read, user: &UserId) -> Result<Self> {
        let rules = Arc::new(rules::of(read, user).await?);
        Ok(Self { user: user.to_owned(), rules, ignored: ignored(read, user).await? })
    }
}

/// Whom a user ignores.
pub(crate) async fn ignored(read: &impl Read, user: &UserId) -> kv::Result<HashSet<OwnedUserId>> {
    let list = AccountData::get_in(read, user, None, "m.ignored_user_list").await?;
    let list = list.and_then(|json| serde_json::from_str::<IgnoredUsers>(&json).ok());
    let mut ignored: HashSet<_> = list.map(|list| list.ignored_users.into_keys().collect()).unwrap_or_default();
    ignored.remove(user);
    Ok(ignored)
}

/// What is unread of a stretch.
#[derive(Clone, Copy, Default)]
struct Both {
    /// In the main timeline.
    main: Unread,
    /// In threads.
    threads: Unread,
}

impl Both {
    fn add(&mut self, judge: &Judge<'_>, sums: &Sums, sender: Option<&UserId>) {
        self.main = self.main + judge.count(&sums.main, sender);
        self.threads = self.threads + judge.count(&sums.threads, sender);
    }
}

impl Counts {
    /// Counts over these domains.
    pub fn new(rooms: Rooms, receipts: Receipts) -> Self {
        Self { rooms, receipts }
    }

    /// What is unread for a user in a room; nothing if they are not in it. `threads` asks for the list of threads
    /// too, which costs as much as there are threads with news.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn of(&self, read: &impl Read, reader: &Reader, room: RoomNum, threads: bool) -> Result<RoomCounts> {
        let mut counts = RoomCounts::default();
        let mut seen = self.seen(read, &reader.user, room).await?;
        let Some(floor) = seen.floor else { return Ok(counts) };
        let judge = Judge::new(&reader.rules, &self.rooms.info(read, room).await?.id);
        let main = seen.main.map_or(floor, |main| main.max(floor));
        let all = Stretch { room, root: ROOM, main, threads: floor, to: Place::MAX };
        let Both { main: in_main, threads: mut in_threads } = count(read, reader, &judge, all, seen.traces).await?;
        if in_threads != Unread::default() {
            seen.add_threads_written_in(read, &reader.user, room).await?;
            for (root, place) in seen.threads.iter().filter(|(_, place)| **place > floor) {
                let read_part = Stretch { root: *root, to: *place, ..all };
                in_threads = in_threads - count(read, reader, &judge, read_part, seen.traces).await?.threads;
            }
        }
        counts.main = in_main;
        counts.total = in_main + in_threads;
        if threads && in_threads != Unread::default() {
            counts.threads = self.threads(read, reader, &judge, all, &seen).await?;
        }
        Ok(counts)
    }

    /// How far a user has read in a room, but for threads that they have read only by writing there.
    pub(crate) async fn seen(&self, read: &impl Read, user: &UserId, room: RoomNum) -> Result<Seen> {
        let Some(At(joined)) = read.peek(&JOINED, (room, user)).await? else { return Ok(Seen::default()) };
        let traces = read.peek(&TRACES, (room, user)).await?.unwrap_or(Traces::UNKNOWN);
        let (joined, main) = (Some(joined), traces.written);
        let mut seen = Seen { joined, floor: joined, main, traces, ..Seen::default() };
        let receipts = self.receipts.of_user(read, room, user).await?;
        for receipt in &receipts {
            let place = Some(receipt.row.place);
            match receipt.thread {
                Thread::Unthreaded => seen.floor = seen.floor.max(place),
                Thread::Main => seen.main = seen.main.max(place),
                Thread::Root(_) => {}
            }
        }
        // What is read anyway needs no look at which thread it is in.
        let floor = seen.floor;
        for receipt in receipts.iter().filter(|receipt| Some(receipt.row.place) > floor) {
            if let Thread::Root(root) = &receipt.thread
                && let Some(root) = read.peek(&room::tables::EVENT_IDS, &**root).await?.filter(|at| at.room == room)
            {
                seen.add_thread(root.num, receipt.row.place);
            }
        }
        Ok(seen)
    }

    /// The threads with something unread.
    async fn threads(
        &self,
        read: &impl Read,
        reader: &Reader,
        judge: &Judge<'_>,
        all: Stretch,
        seen: &Seen,
    ) -> Result<Vec<(OwnedEventId, Unread)>> {
        let mut found = Vec::new();
        let key = (all.room, all.threads, EventNum(u64::MAX));
        let mut list = read.scan_back(&THREAD_LIST, THREAD_LIST.after(&(all.room,), &key));
        while let Some(((_, _, root), ())) = list.next().await? {
            let threads = seen.threads.get(&root).map_or(all.threads, |place| all.threads.max(*place));
            let stretch = Stretch { root, threads, ..all };
            let unread = count(read, reader, judge, stretch, seen.traces).await?.threads;
            if unread != Unread::default() {
                let row = self.rooms.row(read, all.room, root).await?;
                if let Ok(id) = OwnedEventId::try_from(row.event.event_id()) {
                    found.push((id, unread));
                }
            }
        }
        Ok(found)
    }
}

/// The unread events of a stretch.
async fn count(read: &impl Read, reader: &Reader, judge: &Judge<'_>, stretch: Stretch, traces: Traces) -> Result<Both> {
    let user = &*reader.user;
    let mut unread = Both::default();
    let mut others = ledger::within(read, Scope::All, stretch).await?;
    if others == Sums::default() {
        return Ok(unread);
    }
    let mut mine = Sums::default();
    if traces.concerned > Some(stretch.main.min(stretch.threads)) {
        mine = ledger::within(read, Scope::To(user), stretch).await?;
    }
    if traces.sent > Some(stretch.main) || !others.threads.is_empty() {
        others.subtract(&ledger::within(read, Scope::From(user), stretch).await?);
    }
    for sender in &reader.ignored {
        others.subtract(&ledger::within(read, Scope::From(sender), stretch).await?);
        mine.subtract(&ledger::within(read, Scope::FromTo(sender, user), stretch).await?);
    }
    for sender in judge.senders().filter(|sender| **sender != user && !reader.ignored.contains(*sender)) {
        let mut theirs = ledger::within(read, Scope::From(sender), stretch).await?;
        let to_me = ledger::within(read, Scope::FromTo(sender, user), stretch).await?;
        others.subtract(&theirs);
        mine.subtract(&to_me);
        theirs.subtract(&to_me.impersonal());
        unread.add(judge, &theirs, Some(sender));
        unread.add(judge, &to_me, Some(sender));
    }
    others.subtract(&mine.impersonal());
    unread.add(judge, &others, None);
    unread.add(judge, &mine, None);
    Ok(unread)
}
