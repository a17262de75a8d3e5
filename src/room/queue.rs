use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::num::RoomNum;

/// Rooms that share a queue by chance wait for each other now and then; nothing else.
const STRIPES: usize = 1024;

/// Lets the appends of a room pass one after the other, in the order in which they came.
///
/// This saves retries; that appends do not disturb each other rests on the conflict check alone.
#[derive(Debug)]
pub struct Queue {
    hasher: RandomState,
    stripes: Vec<Mutex<()>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { hasher: RandomState::new(), stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }
}

impl Queue {
    /// Waits for the room's turn; `None` never happens and means no queueing.
    pub async fn turn(&self, room: RoomNum) -> Option<MutexGuard<'_, ()>> {
        let stripe = usize::try_from(self.hasher.hash_one(room)).unwrap_or(0) % STRIPES;
        match self.stripes.get(stripe) {
            Some(stripe) => Some(stripe.lock().await),
            None => None,
        }
    }
}
