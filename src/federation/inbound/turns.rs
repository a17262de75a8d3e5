use std::hash::{BuildHasher, Hash, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Servers, or rooms, that share a queue by chance wait for each other now and then.
const STRIPES: usize = 512;

/// Lets the work for each server, and for each room, pass one after the other.
#[derive(Debug)]
pub(super) struct Turns {
    hasher: RandomState,
    servers: Vec<Mutex<()>>,
    rooms: Vec<Mutex<()>>,
}

impl Default for Turns {
    fn default() -> Self {
        let stripes = || (0..STRIPES).map(|_| Mutex::new(())).collect();
        Self { hasher: RandomState::new(), servers: stripes(), rooms: stripes() }
    }
}

impl Turns {
    /// Waits for a server's turn; `None` never happens.
    pub(super) async fn of_server(&self, server: &ruma::ServerName) -> Option<MutexGuard<'_, ()>> {
        self.turn(&self.servers, server).await
    }

    /// Waits for a room's turn; `None` never happens.
    pub(super) async fn of_room(&self, room: &ruma::RoomId) -> Option<MutexGuard<'_, ()>> {
        self.turn(&self.rooms, room).await
    }

    async fn turn<'a>(&self, stripes: &'a [Mutex<()>], of: impl Hash) -> Option<MutexGuard<'a, ()>> {
        let at = usize::try_from(self.hasher.hash_one(of) % (STRIPES as u64)).unwrap_or(0);
        match stripes.get(at) {
            Some(stripe) => Some(stripe.lock().await),
            None => None,
        }
    }
}
