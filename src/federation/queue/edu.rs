//! Messages that are no events: those that must arrive, and those of which only the newest counts.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use base::Millis;
use kv::Tx;
use ruma::{OwnedServerName, ServerName};
use serde_json::{Map, Value};

use super::{Queue, QueueError, destination::Destination, tables::EDUS};

/// The largest message in bytes. Server-server API, "Transactions": other servers refuse larger ones.
pub const MAX_EDU_BYTES: usize = 65_536;
/// Newest-only messages kept for one destination; the oldest make room.
const MAX_LATEST: usize = 1000;
/// The same for one that does not answer.
const MAX_LATEST_FAILING: usize = 50;

/// How a message is kept until it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// On disk until the destination acknowledges it.
    Durable,
    /// In memory. A newer one with the same key takes its place.
    Latest {
        /// What it is about, such as type, room and user.
        key: String,
        /// For how long it is worth sending, in milliseconds.
        lasts: Millis,
    },
}

/// A newest-only message that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Both are the same for all destinations.
    pub key: Arc<str>,
    pub json: Arc<Value>,
    pub until: Millis,
}

/// The newest-only messages of one destination, oldest first.
#[derive(Debug, Default)]
pub(super) struct Latest {
    order: BTreeMap<u64, Waiting>,
    keys: HashMap<Arc<str>, u64>,
    next: u64,
}

impl Latest {
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Adds one in place of an older one with its key.
    pub fn add(&mut self, waiting: Waiting, failing: bool) {
        if let Some(old) = self.keys.insert(waiting.key.clone(), self.next) {
            self.order.remove(&old);
        }
        self.order.insert(self.next, waiting);
        self.next += 1;
        let most = if failing { MAX_LATEST_FAILING } else { MAX_LATEST };
        while self.order.len() > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.keys.remove(&oldest.key);
        }
    }

    /// Puts back what could not be delivered, unless there is something newer.
    pub fn put_back(&mut self, undelivered: Vec<Waiting>) {
        for waiting in undelivered {
            if !self.keys.contains_key(&waiting.key) {
                self.add(waiting, true);
            }
        }
    }

    /// Takes out messages, and answers them also as they are sent: those that go together are put together, which
    /// makes at most `limit`. What is too old is dropped.
    pub fn take(&mut self, now: Millis, limit: usize) -> (Vec<Waiting>, Vec<Value>) {
        let mut taken = Vec::new();
        let mut merged = Vec::new();
        while let Some(first) = self.order.first_entry() {
            if first.get().until >= now {
                if !merge(&mut merged, &first.get().json) {
                    if merged.len() >= limit {
                        break;
                    }
                    merged.push(Value::clone(&first.get().json));
                }
                taken.push(first.get().clone());
            }
            let gone = first.remove();
            self.keys.remove(&gone.key);
        }
        (taken, merged)
    }
}

/// Puts a message into the last one of `all`, if both are of a kind that holds many.
fn merge(all: &mut [Value], more: &Value) -> bool {
    let Some(last) = all.last_mut().filter(|last| last.get("edu_type") == more.get("edu_type")) else { return false };
    let (Some(into), Some(more)) = (last.get_mut("content"), more.get("content")) else { return false };
    // Far below the limit for one message, so that a merged one never breaks it.
    if into.to_string().len() + more.to_string().len() > MAX_EDU_BYTES / 2 {
        return false;
    }
    match (into, more) {
        (Value::Object(into), Value::Object(more)) if into.contains_key("push") => {
            let (Some(Value::Array(into)), Some(Value::Array(more))) = (into.get_mut("push"), more.get("push")) else {
                return false;
            };
            into.extend(more.iter().cloned());
            true
        }
        (Value::Object(into), Value::Object(more)) if is_receipts(more) => merge_receipts(into, more),
        _ => false,
    }
}

fn is_receipts(content: &Map<String, Value>) -> bool {
    !content.is_empty() && content.values().all(|room| room.get("m.read").is_some_and(Value::is_object))
}

/// Room → `m.read` → user. One user has one receipt for a room in one message.
fn merge_receipts(into: &mut Map<String, Value>, more: &Map<String, Value>) -> bool {
    let users = |room: &Value| room.get("m.read").and_then(Value::as_object).cloned().unwrap_or_default();
    let taken = more.iter().any(|(room, receipts)| {
        let present = into.get(room).map(users).unwrap_or_default();
        users(receipts).keys().any(|user| present.contains_key(user))
    });
    if taken {
        return false;
    }
    for (room, receipts) in more {
        let mut all = into.get(room).map(users).unwrap_or_default();
        all.extend(users(receipts));
        into.insert(room.clone(), serde_json::json!({ "m.read": all }));
    }
    true
}

impl Queue {
    /// Sends a message (`edu_type` and `content`) to servers; this one is left out.
    ///
    /// # Errors
    /// [`QueueError::TooLarge`] beyond [`MAX_EDU_BYTES`]; when storage fails.
    pub async fn send_edu(
        &self,
        destinations: impl IntoIterator<Item = OwnedServerName>,
        edu: &Value,
        keep: Keep,
    ) -> Result<(), QueueError> {
        let destinations: Vec<_> = destinations.into_iter().filter(|server| server != self.own()).collect();
        if destinations.is_empty() {
            return Ok(());
        }
        match keep {
            Keep::Durable => {
                kv::retry(|| async {
                    let mut tx = self.db.begin();
                    for server in &destinations {
                        self.put_edu(&mut tx, server, edu)?;
                    }
                    Ok::<_, QueueError>(tx.commit().await?)
                })
                .await?;
                destinations.iter().for_each(|server| self.wake_edus(server));
            }
            Keep::Latest { key, lasts } => {
                text(edu)?;
                let until = self.clock.now().saturating_add(lasts);
                let (key, json) = (Arc::from(key), Arc::new(edu.clone()));
                for server in &destinations {
                    let waiting = Waiting { key: Arc::clone(&key), json: Arc::clone(&json), until };
                    self.offer(&self.destinations.named(server), |state| {
                        if !state.is_given_up() {
                            state.latest.add(waiting, state.failing.is_some());
                        }
                    });
                }
            }
        }
        Ok(())
    }

    /// Puts a message that must arrive into the transaction of the change that it tells of. Call
    /// [`Queue::wake_edus`] when that is committed.
    ///
    /// # Errors
    /// [`QueueError::TooLarge`].
    pub fn put_edu(&self, tx: &mut Tx, destination: &ServerName, edu: &Value) -> Result<(), QueueError> {
        let text = text(edu)?;
        let slot = tx.stamp();
        tx.put(&EDUS, (destination, slot), &text);
        Ok(())
    }

    /// Says that there are new messages for a destination on disk.
    pub fn wake_edus(&self, destination: &ServerName) {
        self.offer(&self.destinations.named(destination), |state| (state.edus, state.untrimmed) = (true, true));
    }

    /// Changes what waits for a destination and has it sent.
    pub(super) fn offer(&self, destination: &Arc<Destination>, change: impl FnOnce(&mut super::destination::State)) {
        if destination.offer(self.clock.now(), change) {
            self.make_ready(destination);
        }
    }
}

fn text(edu: &Value) -> Result<String, QueueError> {
    let text = edu.to_string();
    if text.len() > MAX_EDU_BYTES { Err(QueueError::TooLarge(text.len())) } else { Ok(text) }
}
