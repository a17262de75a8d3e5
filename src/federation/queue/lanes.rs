//! Whom to send to next. Destinations wait in lines of their own, so that those which do not answer hold up nobody else;
//! and those that failed before are tried again at a bounded rate, however many they are.

use std::{collections::BTreeMap, sync::Arc};

use base::{Clock, Millis};
use futures::{FutureExt, future};
use tokio::task::JoinSet;

use super::{
    Queue,
    destination::{Destination, Stage, State},
};

/// Destinations of one line that are sent to at the same time.
const AT_ONCE: usize = 128;
/// Of those that talk to us, though we could not reach them.
const HEARD_AT_ONCE: usize = 64;
/// Between two attempts at destinations that failed, in milliseconds. 10,000 dead ones that are left alone for an hour
/// each need a quarter of that.
const APART: Millis = 100;
/// How many such attempts may be made at once after a rest.
const BURST: Millis = 100;

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// They got something in this process.
    Known,
    /// They were not sent to yet.
    New,
    /// They failed, but talk to us, or an administrator wants to know.
    Heard,
    /// They failed.
    Failing,
}

impl Line {
    fn of(state: &State) -> Self {
        match (state.failing.is_some(), state.urgent) {
            (true, true) => Self::Heard,
            (true, false) => Self::Failing,
            (false, _) if state.served > 0 => Self::Known,
            (false, _) => Self::New,
        }
    }
}

/// All lines.
#[derive(Debug)]
pub(super) struct Lanes {
    known: Lane,
    new: Lane,
    heard: Lane,
    failing: Lane,
    added: u64,
}

impl Lanes {
    pub fn new(clock: &Clock) -> Self {
        let lane = |most| Lane { waiting: BTreeMap::new(), busy: JoinSet::new(), most, pace: None };
        let pace = Some(Pace { clock: clock.clone(), full_at: 0 });
        Self {
            known: lane(AT_ONCE),
            new: lane(AT_ONCE),
            heard: lane(HEARD_AT_ONCE),
            failing: Lane { pace, ..lane(AT_ONCE) },
            added: 0,
        }
    }

    /// Puts a destination whose stage is [`Stage::Ready`] into its line. It may wait in another one already: whichever
    /// has its turn first counts.
    pub fn add(&mut self, destination: Arc<Destination>) {
        let (line, rank) = {
            let state = destination.state.lock();
            if state.stage != Stage::Ready {
                return;
            }
            // What worked a while ago most likely does again, and what has failed often does not.
            (Line::of(&state), (state.served == 0, state.failing.map_or(0, |failing| failing.times)))
        };
        self.added += 1;
        let (lane, rank) = match line {
            Line::Known => (&mut self.known, (false, 0)),
            Line::New => (&mut self.new, (false, 0)),
            Line::Heard => (&mut self.heard, (false, 0)),
            Line::Failing => (&mut self.failing, rank),
        };
        lane.waiting.insert((rank, self.added), destination);
    }

    /// Waits until somebody was sent to.
    pub async fn ended(&mut self) {
        tokio::select! {
            () = self.known.ended() => {}
            () = self.new.ended() => {}
            () = self.heard.ended() => {}
            () = self.failing.ended() => {}
        }
    }

    /// Has those sent to whose turn it is.
    pub fn fill(&mut self, queue: &Queue) {
        for lane in [&mut self.known, &mut self.new, &mut self.heard, &mut self.failing] {
            lane.fill(queue);
        }
    }
}

/// Destinations that are sent to, and those that wait for that.
#[derive(Debug)]
struct Lane {
    /// By rank, then in the order in which they came.
    waiting: BTreeMap<((bool, u32), u64), Arc<Destination>>,
    /// Each answers whether its destination works.
    busy: JoinSet<bool>,
    most: usize,
    pace: Option<Pace>,
}

impl Lane {
    /// Waits until one was sent to; for ever if none is.
    async fn ended(&mut self) {
        match self.busy.join_next().await {
            Some(works) => self.settle(works.unwrap_or(false)),
            None => future::pending().await,
        }
    }

    /// Only attempts that fail are counted: when the network is back, nobody has to wait.
    fn settle(&mut self, works: bool) {
        if let Some(pace) = self.pace.as_mut().filter(|_| works) {
            pace.give_back();
        }
    }

    fn fill(&mut self, queue: &Queue) {
        while let Some(works) = self.busy.try_join_next() {
            self.settle(works.unwrap_or(false));
        }
        while self.busy.len() < self.most && self.pace.as_mut().is_none_or(Pace::has_room) {
            let Some((_, destination)) = self.waiting.pop_first() else { break };
            if !destination.begin() {
                continue;
            }
            if let Some(pace) = &mut self.pace {
                pace.take();
            }
            let queue = queue.clone();
            self.busy.spawn(async move {
                let served = std::panic::AssertUnwindSafe(queue.serve(&destination)).catch_unwind().await;
                let mut state = destination.state.lock();
                if served.is_err() {
                    tracing::error!(destination = %destination.name, "sending panicked");
                    state.stage = Stage::Idle;
                    state.start_over();
                }
                state.failing.is_none()
            });
        }
    }
}

/// A bucket of attempts that fills by one every [`APART`] milliseconds and holds [`BURST`].
#[derive(Debug)]
struct Pace {
    clock: Clock,
    /// When it is full again.
    full_at: Millis,
}

impl Pace {
    fn has_room(&mut self) -> bool {
        let now = self.clock.now();
        let empty = now.saturating_add(APART * BURST);
        // The clock may have been set back.
        self.full_at = self.full_at.clamp(now, empty);
        self.full_at + APART <= empty
    }

    fn take(&mut self) {
        self.full_at = self.full_at.saturating_add(APART);
    }

    fn give_back(&mut self) {
        self.full_at = self.full_at.saturating_sub(APART);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_at_a_bounded_rate_and_those_that_succeed_do_not_count() {
        let clock = Clock::fixed(1_000_000);
        let mut pace = Pace { clock: clock.clone(), full_at: 0 };
        let mut take_all = |give_back: bool| {
            let mut taken = 0;
            while taken < 1000 && pace.has_room() {
                pace.take();
                if give_back {
                    pace.give_back();
                }
                taken += 1;
            }
            taken
        };
        assert_eq!(take_all(true), 1000);
        assert_eq!(take_all(false), BURST);
        assert_eq!(take_all(false), 0);
        clock.advance(1000);
        assert_eq!(take_all(false), 1000 / APART);
        clock.advance(60 * 60 * 1000);
        assert_eq!(take_all(false), BURST);
    }
}
