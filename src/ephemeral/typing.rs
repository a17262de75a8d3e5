use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use base::{Clock, Millis};
use kv::{Db, Stamp, Topic};
use parking_lot::Mutex;
use room::RoomNum;
use ruma::{OwnedUserId, UserId};
use tokio::sync::broadcast;

use crate::{
    Result,
    changes::{Changes, TypingChange},
};

/// The longest that a user is taken to be typing without saying so again, in milliseconds.
const MAX_TIMEOUT: Millis = 120_000;

#[derive(Debug, Default)]
struct Room {
    until: BTreeMap<OwnedUserId, Millis>,
    /// The position of the last change; `None` while it is being drawn, and then it counts as news.
    changed: Option<Stamp>,
}

/// Who is typing, in memory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Typing {
    db: Db,
    clock: Clock,
    rooms: Arc<Mutex<HashMap<RoomNum, Room>>>,
    changes: Changes<TypingChange>,
}

impl Typing {
    /// Nobody is typing.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, rooms: Arc::default(), changes: Changes::default() }
    }

    /// `user` types for the next `timeout` milliseconds, or stops with `None`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn set(&self, room: RoomNum, user: &UserId, timeout: Option<Millis>) -> Result<()> {
        let until = timeout.map(|timeout| self.clock.now() + timeout.min(MAX_TIMEOUT));
        let changed = self.note(room, user, until);
        if changed || until.is_some() {
            self.changes.tell(TypingChange { room, user: user.to_owned(), typing: until.is_some() });
        }
        if changed {
            self.publish(&[room]).await?;
        }
        Ok(())
    }

    /// Who begins, goes on and stops typing from now on.
    pub fn changes(&self) -> broadcast::Receiver<TypingChange> {
        self.changes.follow()
    }

    /// Whether somebody else sees a difference.
    fn note(&self, room: RoomNum, user: &UserId, until: Option<Millis>) -> bool {
        let mut rooms = self.rooms.lock();
        let changed = match until {
            Some(until) => rooms.entry(room).or_default().until.insert(user.to_owned(), until).is_none(),
            None => rooms.get_mut(&room).is_some_and(|room| room.until.remove(user).is_some()),
        };
        if changed && let Some(room) = rooms.get_mut(&room) {
            room.changed = None;
        }
        changed
    }

    /// Draws a position for changes and tells whoever waits for these rooms.
    async fn publish(&self, changed: &[RoomNum]) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().relaxed();
        let slot = tx.stamp();
        for room in changed {
            tx.announce(Topic::Room(room.0), slot);
        }
        let pending = tx.submit().await?;
        let stamp = pending.stamp(slot);
        {
            let mut rooms = self.rooms.lock();
            for room in changed {
                if let Some(room) = rooms.get_mut(room) {
                    room.changed = Some(room.changed.map_or(stamp, |old| old.max(stamp)));
                }
            }
        }
        Ok(pending.durable().await?)
    }

    /// Who is typing in a room, if that changed by `news`; an empty list means that all stopped.
    pub fn news(&self, room: RoomNum, news: impl Fn(Stamp) -> bool) -> Option<Vec<OwnedUserId>> {
        let now = self.clock.now();
        let rooms = self.rooms.lock();
        let room = rooms.get(&room)?;
        let is_news = room.changed.is_none_or(news);
        is_news.then(|| room.until.iter().filter(|(_, until)| **until > now).map(|(user, _)| user.clone()).collect())
    }

    /// Takes out those whose time is over and tells their rooms. Idempotent; run it every second or so.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn expire(&self) -> Result<()> {
        let now = self.clock.now();
        let expired: Vec<RoomNum> = {
            let mut rooms = self.rooms.lock();
            let mut expired = Vec::new();
            for (num, room) in rooms.iter_mut() {
                let before = room.until.len();
                room.until.retain(|user, until| {
                    if *until <= now {
                        self.changes.tell(TypingChange { room: *num, user: user.clone(), typing: false });
                    }
                    *until > now
                });
                if room.until.len() < before {
                    room.changed = None;
                    expired.push(*num);
                }
            }
            expired
        };
        self.publish(&expired).await
    }
}
