use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Downloads that wait for an upload, by media id. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Waiters(Arc<Mutex<HashMap<String, Arc<Notify>>>>);

/// One waiting download.
#[derive(Debug)]
pub struct Waiter {
    all: Waiters,
    id: String,
    /// Told when the upload is there.
    pub notify: Arc<Notify>,
}

impl Waiters {
    /// Waits for `id` from now on.
    pub fn join(&self, id: &str) -> Waiter {
        let notify = self.0.lock().entry(id.to_owned()).or_default().clone();
        Waiter { all: self.clone(), id: id.to_owned(), notify }
    }

    /// Wakes everybody who waits for `id`; who comes later finds the upload.
    pub fn wake(&self, id: &str) {
        let notify = self.0.lock().remove(id);
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }
}

#[cfg(test)]
impl Waiters {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        let listed = all.get(&self.id).is_some_and(|notify| Arc::ptr_eq(notify, &self.notify));
        // The map and this waiter are the last two holders.
        if listed && Arc::strong_count(&self.notify) <= 2 {
            all.remove(&self.id);
        }
    }
}
