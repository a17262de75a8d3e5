//! How much is kept of what other servers send and no room shows: events that the rules do not let in, and events that
//! are known only because another event refers to them.

use std::sync::Arc;

use base::{Clock, Millis};
use moka::{ops::compute::Op, sync::Cache};
use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName};

/// Bytes that are kept of one server at once.
const BURST: u64 = 64 << 20;
/// Bytes by which that grows again in a second: 170 MB in a day.
const PER_SECOND: u64 = 2 << 10;
/// Servers that are remembered.
const CAPACITY: u64 = 20_000;

/// Whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// Those of a server that is in the room.
    Member(&'a ServerName),
    /// Those of all servers together that are not in the rooms which they send to: anybody can have any number of them.
    Stranger,
}

/// Counts bytes that were kept. In memory, bounded; what was counted is forgotten at a restart. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Junk {
    clock: Clock,
    members: Cache<OwnedServerName, Used>,
    strangers: Arc<Mutex<Used>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    bytes: u64,
    at: Millis,
}

impl Used {
    fn now(self, now: Millis) -> Self {
        let over = now.saturating_sub(self.at) / 1000 * PER_SECOND;
        Self { bytes: self.bytes.saturating_sub(over), at: now }
    }

    fn and(self, bytes: u64, now: Millis) -> Self {
        let before = self.now(now);
        Self { bytes: before.bytes.saturating_add(bytes), ..before }
    }
}

impl Junk {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, members: Cache::new(CAPACITY), strangers: Arc::default() }
    }

    /// Whether more may be kept.
    pub(super) fn has_room(&self, whose: Whose<'_>) -> bool {
        let used = match whose {
            Whose::Member(server) => self.members.get(server).unwrap_or_default(),
            Whose::Stranger => *self.strangers.lock(),
        };
        used.now(self.clock.now()).bytes < BURST
    }

    /// Counts what was kept.
    pub(super) fn kept(&self, whose: Whose<'_>, bytes: usize) {
        let (bytes, now) = (bytes as u64, self.clock.now());
        match whose {
            Whose::Member(server) => {
                self.members.entry(server.to_owned()).and_compute_with(|before| {
                    Op::Put(before.map(|entry| entry.into_value()).unwrap_or_default().and(bytes, now))
                });
            }
            Whose::Stranger => {
                let mut used = self.strangers.lock();
                *used = used.and(bytes, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    #[test]
    fn a_server_that_has_sent_too_much_waits_and_others_do_not() {
        let clock = Clock::fixed(0);
        let junk = Junk::new(clock.clone());
        let (a, b) = (Whose::Member(server_name!("a.test")), Whose::Member(server_name!("b.test")));
        junk.kept(a, 64 << 20);
        assert!(!junk.has_room(a) && junk.has_room(b) && junk.has_room(Whose::Stranger));
        clock.advance(1000);
        assert!(junk.has_room(a));
        junk.kept(a, 2 << 10);
        assert!(!junk.has_room(a));
    }

    #[test]
    fn strangers_share_what_there_is() {
        let junk = Junk::new(Clock::fixed(0));
        junk.kept(Whose::Stranger, usize::MAX);
        junk.kept(Whose::Stranger, usize::MAX);
        assert!(!junk.has_room(Whose::Stranger));
    }
}
