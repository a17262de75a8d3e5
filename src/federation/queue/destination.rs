//! What is known of each destination in memory. The truth is in the tables; all of this comes back from them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use base::Millis;
use parking_lot::{Mutex, RwLock};
use room::EventRef;
use ruma::{OwnedServerName, ServerName};

use super::{catch_up::CatchUp, edu::Latest, tables::Failing};

/// Events kept in memory for a destination; with more it reads them from the tables again.
const MAX_QUEUED: usize = 200;

/// For how long a destination fails before typing, receipts and presence are not kept for it any more, in milliseconds.
const GIVEN_UP: Millis = 60 * 60 * 1000;

/// An event for a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// Its number in the order of the walk.
    pub number: u64,
    /// The event.
    pub event: EventRef,
    /// Whether it has a row of its own for this destination.
    pub single: bool,
}

/// The events that wait for a destination.
#[derive(Debug)]
pub(super) enum Backlog {
    /// They are in the tables, from the destination's cursor on.
    Stored,
    /// Being read from the tables; what comes after them is queued.
    Reading(Box<CatchUp>, VecDeque<Item>),
    /// All of them.
    Queued(VecDeque<Item>),
}

/// What is done about a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// Nothing: there is nothing for it, or it is not time yet.
    #[default]
    Idle,
    /// It waits for a free sender.
    Ready,
    /// It is being sent to.
    Sending,
}

/// The changing part.
#[derive(Debug)]
pub(super) struct State {
    pub backlog: Backlog,
    /// Whether it has a row in the table of cursors. Changed by the walk only.
    pub tracked: bool,
    /// The greatest number that it acknowledged in this process.
    pub acked: u64,
    /// Whether a transaction is stored that it has not acknowledged.
    pub in_flight: bool,
    /// Whether there may be stored messages for it.
    pub edus: bool,
    /// Whether some came since they were last looked through for what is not worth keeping.
    pub untrimmed: bool,
    pub latest: Latest,
    pub stage: Stage,
    pub failing: Option<Failing>,
    /// Whether it is tried again before others that fail: it talks to us.
    pub urgent: bool,
    /// How many events, and how many messages, a transaction may have; few after it refused one.
    pub limit: usize,
    /// When it last got something in this process.
    pub served: Millis,
}

impl State {
    /// Whether there is, or may be, something for it.
    pub fn has_work(&self) -> bool {
        let events = match &self.backlog {
            Backlog::Queued(queue) => !queue.is_empty(),
            Backlog::Stored | Backlog::Reading(..) => true,
        };
        events || self.in_flight || self.edus || !self.latest.is_empty()
    }

    /// Whether it has failed for so long that what is of interest only for a while is not kept for it.
    pub fn is_given_up(&self) -> bool {
        self.failing.is_some_and(|failing| failing.last.saturating_sub(failing.since) > GIVEN_UP)
    }

    /// Events in memory.
    pub fn queued(&self) -> usize {
        match &self.backlog {
            Backlog::Stored => 0,
            Backlog::Reading(_, queue) | Backlog::Queued(queue) => queue.len(),
        }
    }

    /// Adds an event; costs nothing if they are read from the tables anyway.
    pub fn push(&mut self, item: Item) {
        let failing = self.failing.is_some();
        match &mut self.backlog {
            Backlog::Stored => {}
            Backlog::Queued(queue) if !failing && queue.len() < MAX_QUEUED => queue.push_back(item),
            Backlog::Reading(_, queue) if queue.len() < MAX_QUEUED => queue.push_back(item),
            // The reading goes as far as it began, and begins again then.
            Backlog::Reading(read, queue) => {
                read.overflowed = true;
                queue.clear();
            }
            Backlog::Queued(_) => self.backlog = Backlog::Stored,
        }
    }

    /// Whether an event is in memory.
    pub fn holds(&self, number: u64) -> bool {
        match &self.backlog {
            Backlog::Queued(queue) => queue.iter().any(|item| item.number == number),
            Backlog::Stored | Backlog::Reading(..) => false,
        }
    }

    /// Notes that it has everything up to a number.
    pub fn acknowledge(&mut self, upto: u64) {
        self.acked = self.acked.max(upto);
        if let Backlog::Queued(queue) | Backlog::Reading(_, queue) = &mut self.backlog {
            queue.retain(|item| item.number > upto);
        }
    }

    /// Forgets what is read and queued: the cursor says what is to be read again. Without one there is nothing.
    pub fn start_over(&mut self) {
        if self.tracked {
            self.backlog = Backlog::Stored;
        }
    }
}

/// One other server.
#[derive(Debug)]
pub(super) struct Destination {
    pub name: OwnedServerName,
    pub state: Mutex<State>,
}

impl Destination {
    fn new(name: OwnedServerName, limit: usize) -> Self {
        let state = State {
            backlog: Backlog::Queued(VecDeque::new()),
            tracked: false,
            acked: 0,
            in_flight: false,
            edus: false,
            untrimmed: false,
            latest: Latest::default(),
            stage: Stage::Idle,
            failing: None,
            urgent: false,
            limit,
            served: 0,
        };
        Self { name, state: Mutex::new(state) }
    }

    /// Changes what waits for it; answers whether it has become ready to be sent to.
    pub fn offer(&self, now: Millis, change: impl FnOnce(&mut State)) -> bool {
        let mut state = self.state.lock();
        change(&mut state);
        let due = state.failing.is_none_or(|failing| failing.again <= now);
        let ready = state.stage == Stage::Idle && due && state.has_work();
        if ready {
            state.stage = Stage::Ready;
        }
        ready
    }

    /// Begins to send; `false` if somebody else has.
    pub fn begin(&self) -> bool {
        let mut state = self.state.lock();
        let begins = state.stage == Stage::Ready;
        if begins {
            (state.stage, state.urgent) = (Stage::Sending, false);
        }
        begins
    }
}

/// How long a destination keeps its cursor after the last event, in milliseconds: it spares writes while a room is
/// busy, and costs a look at its rooms after a restart.
const KEEPS_CURSOR: Millis = 60_000;

impl Destination {
    /// Whether it has had everything for a while.
    pub fn is_done(&self, now: Millis) -> bool {
        let state = self.state.lock();
        let idle = state.stage == Stage::Idle && !state.has_work() && state.failing.is_none();
        idle && state.tracked && state.served.saturating_add(KEEPS_CURSOR) <= now
    }
}

/// All destinations that are of interest now.
#[derive(Debug)]
pub(super) struct Destinations {
    all: RwLock<HashMap<OwnedServerName, Arc<Destination>>>,
    limit: usize,
}

impl Destinations {
    pub fn new(limit: usize) -> Self {
        Self { all: RwLock::default(), limit }
    }

    /// The destination of this name.
    pub fn named(&self, name: &ServerName) -> Arc<Destination> {
        if let Some(found) = self.find(name) {
            return found;
        }
        let mut all = self.all.write();
        let fresh = || Arc::new(Destination::new(name.to_owned(), self.limit));
        all.entry(name.to_owned()).or_insert_with(fresh).clone()
    }

    /// The destination of this name, if it is of interest.
    pub fn find(&self, name: &ServerName) -> Option<Arc<Destination>> {
        self.all.read().get(name).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Destination>> {
        self.all.read().values().cloned().collect()
    }

    /// Forgets those with nothing to remember, whom nobody else holds.
    pub fn forget_idle(&self) {
        self.all.write().retain(|_, destination| {
            let state = destination.state.lock();
            let idle = state.stage == Stage::Idle && !state.has_work() && !state.tracked && state.failing.is_none();
            !idle || Arc::strong_count(destination) > 1
        });
    }
}
