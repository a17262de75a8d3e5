use std::hash::{BuildHasher, RandomState};

use ruma::RoomId;
use tokio::sync::{Mutex, MutexGuard};

/// Rooms that share a lock by chance wait for each other now and then.
const STRIPES: usize = 256;

/// Lets requests that enter one room pass one after the other.
#[derive(Debug)]
pub(super) struct Turns {
    hasher: RandomState,
    stripes: Vec<Mutex<()>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { hasher: RandomState::new(), stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }
}

impl Turns {
    /// Waits for a room's turn; `None` never happens.
    pub(super) async fn of(&self, room: &RoomId) -> Option<MutexGuard<'_, ()>> {
        let at = usize::try_from(self.hasher.hash_one(room) % (STRIPES as u64)).unwrap_or(0);
        match self.stripes.get(at) {
            Some(stripe) => Some(stripe.lock().await),
            None => None,
        }
    }
}
