use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use kv::Db;
use ruma::{OwnedServerName, UserId};
use tokio::sync::{Mutex, MutexGuard};

/// Queues for changes of one user's one-time keys.
const QUEUES: usize = 64;

/// The keys of this server's users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keys {
    pub(crate) db: Db,
    pub(crate) server: OwnedServerName,
    queues: Arc<[Mutex<()>]>,
}

impl Keys {
    /// The keys in `db` of the users of `server`.
    pub fn new(db: Db, server: OwnedServerName) -> Self {
        Self { db, server, queues: (0..QUEUES).map(|_| Mutex::default()).collect() }
    }

    /// Whether the keys of `user` are kept here.
    pub fn is_local(&self, user: &UserId) -> bool {
        user.server_name() == self.server
    }

    /// Waits for those who change one-time keys of `user`: they would conflict with each other all the time.
    pub(crate) async fn queue(&self, user: &UserId) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        let queue = usize::try_from(hasher.finish() % (QUEUES as u64)).unwrap_or_default();
        Some(self.queues.get(queue)?.lock().await)
    }
}
