//! The syncer: one fsync for all that wait, then publication in order.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::MutexGuard;

use kv::{Announcement, Error, Observer, Positions, Result};

use crate::{
    Durability, WRITER,
    commit::{Core, Life, Shared, Waiting},
    counters::add,
    held::Held,
    moment::Moment,
    open::engine_error,
    own,
};

/// Commits that are worth an fsync of their own when there is a crowd.
const GROUP: usize = 12;
/// The longest that a commit waits for others: as long as an fsync takes on an ordinary disk.
const GATHER_FOR: Duration = Duration::from_millis(4);
/// After waiting in vain again and again, at most so many groups go without.
const PATIENCE: u32 = 256;

/// Whether many commit at the same time, as far as the last groups tell. Who sends alone waits at most for
/// [`Crowd::MISSES`] groups after a crowd has gone.
#[derive(Debug, Default)]
pub struct Crowd {
    /// Waiting brings groups together.
    is_there: bool,
    /// How often in a row waiting was in vain.
    misses: u32,
    /// The size of the last group.
    last: usize,
    /// Groups until the next try.
    pause: u32,
}

impl Crowd {
    /// A crowd comes in waves, and the end of a wave is a small group: it takes more than one to say that it is gone.
    const MISSES: u32 = 2;

    /// Whether the next group, of which `queued` are there, is worth waiting for.
    fn is_likely(&mut self, queued: usize) -> bool {
        self.pause = self.pause.saturating_sub(1);
        self.is_there || (self.pause == 0 && queued.max(self.last) > 1)
    }

    /// A group of `gathered` goes; `waited` says whether it has waited for others.
    fn learn(&mut self, gathered: usize, waited: bool) {
        self.last = gathered;
        if gathered >= GROUP / 2 {
            self.is_there = true;
            self.misses = 0;
        } else if waited {
            self.misses = (self.misses + 1).min(PATIENCE.ilog2());
            self.is_there &= self.misses < Self::MISSES;
            self.pause = 1 << self.misses;
        }
    }
}

/// Commits that become durable and visible together.
pub struct Group {
    waiting: Vec<Waiting>,
    sync: bool,
    held: Arc<Held>,
    sequence: u64,
    last: u64,
}

impl Shared {
    /// Takes everything queued; [`Shared::publish`] must follow.
    pub fn take_group(&self, core: &mut Core) -> Group {
        core.publishing = true;
        Group {
            waiting: std::mem::take(&mut core.queue),
            sync: std::mem::take(&mut core.needs_sync),
            held: core.latest(&self.db),
            sequence: core.sequence,
            last: core.last,
        }
    }

    /// The syncer thread.
    pub fn sync_until_closed(&self) {
        let groups = || {
            while let Some(group) = self.next_group() {
                // A failure was told to those who wait, and is logged.
                let _ = self.publish(group);
            }
        };
        if catch_unwind(AssertUnwindSafe(groups)).is_err() {
            // Nobody would be acknowledged any more.
            self.fail(&mut self.core.lock(), Error::Engine("the syncer thread panicked".into()));
        }
    }

    fn next_group(&self) -> Option<Group> {
        let mut core = self.core.lock();
        loop {
            match (&core.life, core.publishing, core.queue.is_empty()) {
                (Life::Failed(_), ..) | (Life::Closing, false, true) => return None,
                (_, false, false) => {
                    if core.needs_sync {
                        self.gather(&mut core);
                    }
                    return Some(self.take_group(&mut core));
                }
                _ => self.work.wait(&mut core),
            }
        }
    }

    /// Waits a moment for more commits when there is a crowd: on a fast disk one fsync would end before the next
    /// commit of 64 senders is there, and each would pay for its own.
    fn gather(&self, core: &mut MutexGuard<'_, Core>) {
        let queued = core.queue.len();
        let waits = queued < GROUP && core.crowd.is_likely(queued);
        if waits {
            let deadline = Instant::now() + GATHER_FOR;
            while core.queue.len() < GROUP && core.life == Life::Open {
                if self.work.wait_until(core, deadline).timed_out() {
                    break;
                }
            }
        }
        let gathered = core.queue.len();
        core.crowd.learn(gathered, waits);
    }

    /// Makes `group` durable as it asks, tells observers, and answers those who wait.
    pub fn publish(&self, group: Group) -> Result<()> {
        let Group { waiting, sync, held, sequence, last } = group;
        if let Err(error) = self.persist(sync) {
            let error = self.fail(&mut self.core.lock(), error);
            waiting.into_iter().for_each(|one| one.finish(Err(error.clone())));
            return Err(error);
        }
        let durable = sync.then(|| held.rocks_sequence());
        let changes: Vec<Announcement> = waiting.iter().flat_map(|one| one.changes.iter().cloned()).collect();
        let observers = if changes.is_empty() { Vec::new() } else { self.observers.read().clone() };
        each(&observers, |observer| observer.record(&changes));
        let positions = Positions::from_iter([(WRITER, last)]);
        let moment = Arc::new(Moment { held, sequence, positions, pool: self.pool.clone() });
        let before = std::mem::replace(&mut *self.published.write(), moment);
        add(&self.tally.groups, 1);
        waiting.into_iter().for_each(|one| one.finish(Ok(())));
        each(&observers, |observer| observer.wake(&changes));
        self.tally.export();
        self.published_until(durable);
        drop(before);
        Ok(())
    }

    fn published_until(&self, durable: Option<u64>) {
        let mut core = self.core.lock();
        core.publishing = false;
        core.durable = core.durable.max(durable.unwrap_or(0));
        if !core.queue.is_empty() || core.life != Life::Open {
            self.work.notify_one();
        }
    }

    /// Hands the log to the operating system, and to the disk if `sync`.
    fn persist(&self, sync: bool) -> Result<()> {
        if !sync {
            // `Relaxed` commits may stay in RocksDB's buffer; with durability `os` nothing may.
            return if self.durability == Durability::Os {
                self.db.flush_wal(false).map_err(engine_error)
            } else {
                Ok(())
            };
        }
        if let Some(hook) = &self.hooks.before_sync {
            self.db.flush_wal(false).map_err(engine_error)?;
            hook().map_err(Error::Engine)?;
        }
        self.db.flush_wal(true).map_err(engine_error)?;
        add(&self.tally.fsyncs, 1);
        if let Some(hook) = &self.hooks.after_sync {
            hook();
        }
        Ok(())
    }

    /// Takes no more commits; the syncer ends after the last group.
    pub fn begin_close(&self) {
        let mut core = self.core.lock();
        if core.life == Life::Open {
            core.life = Life::Closing;
        }
        drop(core);
        self.work.notify_one();
    }

    /// After the syncer's end: everything to disk, and the positions that were leased but not given back.
    pub fn finish_close(&self) -> Result<()> {
        let core = self.core.lock();
        if let Life::Failed(reason) = &core.life {
            return Err(Error::Engine(reason.clone()));
        }
        let mut batch = rocksdb::WriteBatch::default();
        own::lease(&mut batch, core.last);
        self.db.write(batch).map_err(engine_error)?;
        self.db.flush_wal(true).map_err(engine_error)?;
        self.db.flush().map_err(engine_error)?;
        self.db.cancel_all_background_work(true);
        Ok(())
    }
}

/// Calls every observer. One that panics is logged: the others and the commits behind it go on.
fn each(observers: &[Arc<dyn Observer>], call: impl Fn(&dyn Observer)) {
    for observer in observers {
        if catch_unwind(AssertUnwindSafe(|| call(observer.as_ref()))).is_err() {
            tracing::error!("an observer of commits panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of groups that would be as large as `sizes` if waited for, whether each was.
    fn waited(crowd: &mut Crowd, sizes: &[usize]) -> Vec<bool> {
        let one = |size: &usize| {
            let waits = crowd.is_likely(2);
            crowd.learn(if waits { *size } else { 2 }, waits);
            waits
        };
        sizes.iter().map(one).collect()
    }

    #[test]
    fn the_end_of_a_wave_is_not_the_end_of_the_crowd() {
        let mut crowd = Crowd::default();
        let waves = [12, 12, 12, 4].repeat(50);
        assert_eq!(waited(&mut crowd, &waves), vec![true; waves.len()]);
    }

    #[test]
    fn who_waits_in_vain_waits_ever_more_rarely() {
        let mut crowd = Crowd::default();
        assert_eq!(waited(&mut crowd, &[12, 12]), [true, true]);
        let tries = waited(&mut crowd, &[2; 2000]).into_iter().filter(|waits| *waits).count();
        assert!((8..=16).contains(&tries), "{tries} of 2000 groups waited");
        assert!(waited(&mut crowd, &[12; 300]).ends_with(&[true; 40]), "a crowd that comes back is seen");
    }

    #[test]
    fn one_sender_alone_never_waits() {
        let mut crowd = Crowd::default();
        for _ in 0..1000 {
            assert!(!crowd.is_likely(1));
            crowd.learn(1, false);
        }
    }
}
