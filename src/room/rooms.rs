use std::{ops::Deref, sync::Arc};

use base::{Clock, Turns};
use event::Signer;
use kv::{Db, Read};
use parking_lot::Mutex;
use ruma::{RoomVersionId, ServerName};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::{AskPolicy, Projection, caches::Caches, erased::Erased, num::RoomNum, tables::LEASES};

/// Room numbers leased at a time.
const LEASE: u64 = 256;

/// `[rooms]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The version that new rooms get when nobody asks for another one.
    pub default_room_version: RoomVersionId,
    /// For how long clients may delay an event (MSC4140), in seconds.
    pub max_event_delay_secs: u64,
    /// How many delayed events a user may have waiting.
    pub max_delayed_events: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_room_version: event::version::DEFAULT,
            max_event_delay_secs: 30 * 24 * 60 * 60,
            max_delayed_events: 100,
        }
    }
}

/// The rooms of this server. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    parts: Arc<Parts>,
    pub(crate) ask_policy: Option<Arc<dyn AskPolicy>>,
}

/// What [`Rooms`] works with: behind one pointer, as every request clones it.
pub struct Parts {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) signer: Arc<Signer>,
    pub(crate) config: Config,
    pub(crate) caches: Caches,
    pub(crate) projections: Vec<Box<dyn Projection>>,
    /// Lets the appends of a room pass one after the other. This saves retries; that they do not disturb each other
    /// rests on the conflict check alone.
    pub(crate) turns: Turns<RoomNum>,
    /// Rung when an event is delayed.
    pub(crate) alarm: Notify,
    pub(crate) erased: Erased,
    lease: Mutex<std::ops::Range<u64>>,
}

impl Deref for Rooms {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("server", &self.server().as_str()).finish_non_exhaustive()
    }
}

impl Rooms {
    /// The rooms in `db`. `cache_bytes` bounds what is kept decoded; `projections` run with every append.
    pub fn new(
        db: Db,
        clock: Clock,
        signer: Arc<Signer>,
        config: Config,
        cache_bytes: u64,
        projections: Vec<Box<dyn Projection>>,
    ) -> Self {
        let parts = Parts {
            db,
            clock,
            signer,
            config,
            caches: Caches::new(cache_bytes),
            projections,
            turns: Turns::default(),
            alarm: Notify::new(),
            erased: Erased::default(),
            lease: Mutex::default(),
        };
        Self { parts: Arc::new(parts), ask_policy: None }
    }

    /// This server's name.
    pub fn server(&self) -> &ServerName {
        self.signer.server_name()
    }

    /// The database that the rooms are in.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The clock that events are dated by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The version that new rooms get when nobody asks for another one.
    pub fn default_version(&self) -> &RoomVersionId {
        &self.config.default_room_version
    }

    /// For how long events may be delayed, in milliseconds, and how many a user may have waiting.
    pub fn delay_limits(&self) -> (u64, usize) {
        (self.config.max_event_delay_secs.saturating_mul(1000), self.config.max_delayed_events)
    }

    /// A room number that nobody has had, from a leased block.
    pub(crate) async fn fresh_num(&self) -> kv::Result<RoomNum> {
        if let Some(n) = self.lease.lock().next() {
            return Ok(RoomNum(n));
        }
        let start = kv::retry(|| async {
            let mut tx = self.db.begin();
            let start = tx.get(&LEASES, ()).await?.unwrap_or(1);
            tx.put(&LEASES, (), &(start + LEASE));
            // The transaction that uses a number is durable after this one.
            tx.submit().await?;
            Ok::<_, kv::Error>(start)
        })
        .await?;
        *self.lease.lock() = start + 1..start + LEASE;
        Ok(RoomNum(start))
    }
}
