//! What is sent to other servers: events, in order and without loss, and messages that are no events.
//!
//! **Owns** the walk along the stream of all rooms, what waits for each destination, and its delivery.
//! **Must not know** how a request reaches another server: that is [`Post`].
//! **Tables**: [`tables`]. **Tasks**: [`Queue::run`], and [`Sources::run`] for typing, receipts and presence.
//! **Invariants** (docs/decisions/0008-outgoing-queue.md)
//! - An event goes to the servers that were in its room before or after it, whenever the walk comes to it.
//! - A destination gets the events in the order of the walk, which is that of each room; one transaction at a time.
//! - Before a transaction with events or durable messages is sent, its id and bytes are on disk, and they are the
//!   same each time.
//! - A destination that does not answer costs one write for each attempt, and none for an event; all of them together
//!   are tried at a bounded rate, except those that talk to us.
//! - Memory is bounded for each destination; what does not fit is read from the tables again.

#[cfg(test)]
mod cases;
mod catch_up;
mod destination;
mod edu;
mod error;
mod figures;
mod lanes;
mod plan;
mod post;
mod run;
mod send;
mod sources;
mod status;
pub mod tables;
mod transaction;
mod trim;
mod walk;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use base::{Clock, Millis};
use kv::Db;
use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName};
use tokio::sync::mpsc;

pub use edu::{Keep, MAX_EDU_BYTES};
pub use error::QueueError;
pub use post::{Post, Refused};
pub use sources::Sources;
pub use status::DestinationStatus;

use destination::{Destination, Destinations};

/// The outgoing queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Inner>);

/// What all clones share.
#[derive(Debug)]
pub struct Inner {
    db: Db,
    clock: Clock,
    own: OwnedServerName,
    post: Arc<dyn Post>,
    destinations: Destinations,
    /// The number of the newest outgoing event that is in the tables.
    walked: AtomicU64,
    /// When failing destinations are tried again.
    timers: Mutex<BTreeSet<(Millis, OwnedServerName)>>,
    ready: mpsc::UnboundedSender<Arc<Destination>>,
    /// Taken by whoever runs the queue.
    to_serve: Mutex<Option<mpsc::UnboundedReceiver<Arc<Destination>>>>,
}

impl std::ops::Deref for Queue {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Queue {
    /// The queue in `db` of the server `own`.
    pub fn new(db: Db, clock: Clock, own: OwnedServerName, post: Arc<dyn Post>) -> Self {
        let (ready, to_serve) = mpsc::unbounded_channel();
        Self(Arc::new(Inner {
            db,
            clock,
            own,
            post,
            destinations: Destinations::new(send::FULL),
            walked: AtomicU64::new(0),
            timers: Mutex::default(),
            ready,
            to_serve: Mutex::new(Some(to_serve)),
        }))
    }

    /// This server.
    fn own(&self) -> &ServerName {
        &self.own
    }

    fn walked(&self) -> u64 {
        self.walked.load(Ordering::Acquire)
    }

    fn note_walked(&self, number: u64) {
        self.walked.fetch_max(number, Ordering::AcqRel);
    }

    /// Has a destination served whose stage was just set to ready.
    fn make_ready(&self, destination: &Arc<Destination>) {
        // Nobody receives when the queue is not run; what waits is stored.
        let _ = self.ready.send(destination.clone());
    }
}
