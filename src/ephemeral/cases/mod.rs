//! What passes, as the callers of the crate see it.

mod presence;
mod receipts;
mod typing;

use std::sync::Arc;

use kv::{Announcement, Db, Observer, Topic};
use parking_lot::Mutex;
use ruma::{OwnedUserId, UserId};

const START: u64 = 1_800_000_000_000;

fn user(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:hearth.test")).unwrap()
}

/// Hears who is woken.
#[derive(Default)]
struct Ears(Mutex<Vec<Topic>>);

impl Ears {
    fn on(db: &Db) -> Arc<Self> {
        let ears = Arc::<Self>::default();
        db.observe(ears.clone());
        ears
    }

    /// What was heard since the last time.
    fn heard(&self) -> Vec<Topic> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Observer for Ears {
    fn record(&self, _: &[Announcement]) {}

    fn wake(&self, changes: &[Announcement]) {
        self.0.lock().extend(changes.iter().map(|change| change.topic.clone()));
    }
}
