//! Typing, receipts and presence, of which only the newest counts.

use std::{collections::HashMap, sync::Arc};

use ephemeral::{ReceiptChange, Thread, TypingChange};
use kv::View;
use ruma::OwnedUserId;
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Outgoing, interest::Interest};
use crate::{Result, service::Service};

/// The most that waits for one application service.
const MAX_WAITING: usize = 1000;
/// The most in one transaction.
const MAX_SENT: usize = 100;

/// What waits for an application service, the newest of each kind, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    waiting: HashMap<String, (u64, Value)>,
    next: u64,
}

impl Passing {
    /// Adds something in place of what had the same key; what is too much is left out.
    fn put(&mut self, key: String, event: Value) {
        if self.waiting.len() < MAX_WAITING || self.waiting.contains_key(&key) {
            self.next += 1;
            self.waiting.insert(key, (self.next, event));
        }
    }

    /// Takes the oldest out.
    pub fn take(&mut self) -> Vec<Value> {
        let mut order: Vec<_> = self.waiting.iter().map(|(key, (place, _))| (*place, key.clone())).collect();
        order.sort();
        order.truncate(MAX_SENT);
        order.into_iter().filter_map(|(_, key)| self.waiting.remove(&key).map(|(_, event)| event)).collect()
    }
}

/// What changed.
enum Change {
    Typing(TypingChange),
    Receipt(ReceiptChange),
    Presence(OwnedUserId),
}

impl Outgoing {
    /// Keeps what changes from now on for those who want it. Never ends.
    pub(super) async fn follow_passing(self, services: Vec<Arc<Service>>) {
        let wanting = services.into_iter().filter(|service| service.registration.ephemeral);
        let mut wanting: Vec<_> =
            wanting.map(|service| (Interest::new(service.registration.clone()), service)).collect();
        if wanting.is_empty() {
            return;
        }
        let (mut typing, mut receipts, mut presence) =
            (self.typing.changes(), self.receipts.changes(), self.presence.changes());
        loop {
            let change = tokio::select! {
                Some(change) = next(&mut typing) => Change::Typing(change),
                Some(change) = next(&mut receipts) => Change::Receipt(change),
                Some(user) = next(&mut presence) => Change::Presence(user),
                else => return,
            };
            let view = self.appservices.db.view();
            for (interest, service) in &mut wanting {
                // Who does not answer will not want to know later who was typing now.
                if service.fails() {
                    continue;
                }
                if let Err(error) = self.pass(&view, interest, service, &change).await {
                    tracing::warn!(%error, "an application service was not told of something in passing");
                }
            }
        }
    }

    async fn pass(&self, view: &View, interest: &mut Interest, service: &Service, change: &Change) -> Result<()> {
        let interesting = match change {
            Change::Typing(TypingChange { room, .. }) | Change::Receipt(ReceiptChange { room, .. }) => {
                interest.in_room(&self.rooms, view, *room).await?
            }
            Change::Presence(user) => interest.in_user(&self.rooms, view, user).await?,
        };
        if interesting {
            let (key, event) = self.event(view, change).await?;
            service.state.lock().passing.put(key, event);
            service.news.notify_one();
        }
        Ok(())
    }

    /// The event for a change, and what it takes the place of.
    async fn event(&self, view: &View, change: &Change) -> Result<(String, Value)> {
        Ok(match change {
            Change::Typing(change) => {
                let room = &self.rooms.info(view, change.room).await?.id;
                let users = self.typing.news(change.room, |_| true).unwrap_or_default();
                let event = json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": users } });
                (format!("typing {room}"), event)
            }
            Change::Receipt(ReceiptChange { room, user, thread, event, at }) => {
                let room = &self.rooms.info(view, *room).await?.id;
                let mut receipt = json!({ "ts": at });
                if let (Thread::Main | Thread::Root(_), Value::Object(receipt)) = (thread, &mut receipt) {
                    receipt.insert("thread_id".into(), thread.as_str().into());
                }
                let content = json!({ event.as_str(): { "m.read": { user.as_str(): receipt } } });
                let key = format!("receipt {room} {user} {}", thread.as_str());
                (key, json!({ "type": "m.receipt", "room_id": room, "content": content }))
            }
            Change::Presence(user) => {
                let status = self.presence.now(user).await?;
                let mut content = json!({
                    "presence": status.state.as_str(),
                    "currently_active": status.currently_active,
                    "last_active_ago": status.active_ago.unwrap_or(0),
                });
                if let (Some(message), Value::Object(content)) = (status.status, &mut content) {
                    content.insert("status_msg".into(), message.into());
                }
                (format!("presence {user}"), json!({ "type": "m.presence", "sender": user, "content": content }))
            }
        })
    }
}

/// The next change; what was missed for being slow is missed.
async fn next<T: Clone>(changes: &mut Receiver<T>) -> Option<T> {
    loop {
        match changes.recv().await {
            Ok(change) => return Some(change),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_kind_takes_the_place_of_the_one_before() {
        let mut passing = Passing::default();
        passing.put("typing a".into(), json!(1));
        passing.put("typing b".into(), json!(2));
        passing.put("typing a".into(), json!(3));
        assert_eq!(passing.take(), [json!(2), json!(3)]);
        assert!(passing.take().is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut passing = Passing::default();
        (0..2 * MAX_WAITING).for_each(|n| passing.put(n.to_string(), json!(n)));
        assert_eq!(passing.waiting.len(), MAX_WAITING);
        assert_eq!(passing.take().len(), MAX_SENT);
    }
}
