//! What local users do in passing, on its way to other servers: typing, public receipts, presence.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use base::Millis;
use ephemeral::{Presence, ReceiptChange, Receipts, Thread, Typing, TypingChange};
use room::{RoomNum, Rooms};
use ruma::{OwnedServerName, OwnedUserId, UserId};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{Keep, Queue, QueueError};

/// Who goes on typing is told of again after this, in milliseconds: other servers forget after a minute or less.
const TYPING_AGAIN: Millis = 20_000;
/// For how long typing is worth sending, in milliseconds.
const TYPING_LASTS: Millis = 30_000;
/// The same for presence.
const PRESENCE_LASTS: Millis = 5 * 60 * 1000;
/// The same for receipts.
const RECEIPTS_LAST: Millis = 24 * 60 * 60 * 1000;
/// Receipts are gathered for this long.
const GATHER: Duration = Duration::from_millis(200);

/// Follows typing, receipts and presence.
#[derive(Debug)]
pub struct Sources {
    /// Where it goes.
    pub queue: Queue,
    /// Who is in a room.
    pub rooms: Rooms,
    /// Who types.
    pub typing: Typing,
    /// Who has read how far.
    pub receipts: Receipts,
    /// Who is there.
    pub presence: Presence,
    /// Whether other servers are told of presence.
    pub tell_presence: bool,
}

impl Sources {
    /// Sends what changes from now on. Never ends.
    pub async fn run(self) {
        tokio::join!(self.follow_typing(), self.follow_receipts(), self.follow_presence());
    }

    async fn follow_typing(&self) {
        let mut changes = self.typing.changes();
        let mut told: HashMap<(RoomNum, OwnedUserId), Millis> = HashMap::new();
        while let Some(change) = next(&mut changes).await {
            if !self.is_ours(&change.user) {
                continue;
            }
            let now = self.queue.clock.now();
            let key = (change.room, change.user.clone());
            if change.typing {
                if told.get(&key).is_some_and(|at| at + TYPING_AGAIN > now) {
                    continue;
                }
                told.insert(key, now);
            } else if told.remove(&key).is_none() {
                continue;
            }
            log(self.typing(&change).await);
        }
    }

    async fn typing(&self, change: &TypingChange) -> Result<(), QueueError> {
        let Some((room, servers)) = self.audience(change.room).await? else { return Ok(()) };
        let content = json!({ "room_id": room, "user_id": change.user, "typing": change.typing });
        let edu = json!({ "edu_type": "m.typing", "content": content });
        let key = format!("typing {room} {}", change.user);
        self.queue.send_edu(servers, &edu, Keep::Latest { key, lasts: TYPING_LASTS }).await
    }

    async fn follow_receipts(&self) {
        let mut changes = self.receipts.changes();
        while let Some(first) = next(&mut changes).await {
            let mut gathered = vec![first];
            tokio::time::sleep(GATHER).await;
            while let Ok(change) = changes.try_recv() {
                gathered.push(change);
            }
            for change in gathered.iter().filter(|change| self.is_ours(&change.user)) {
                log(self.receipt(change).await);
            }
        }
    }

    async fn receipt(&self, change: &ReceiptChange) -> Result<(), QueueError> {
        let Some((room, servers)) = self.audience(change.room).await? else { return Ok(()) };
        let mut data = json!({ "ts": change.at });
        if let (thread @ (Thread::Main | Thread::Root(_)), Value::Object(data)) = (&change.thread, &mut data) {
            data.insert("thread_id".into(), thread.as_str().into());
        }
        let receipt = json!({ "data": data, "event_ids": [change.event] });
        let user = change.user.as_str();
        let edu = json!({ "edu_type": "m.receipt", "content": { room.as_str(): { "m.read": { user: receipt } } } });
        let key = format!("receipt {room} {user} {}", change.thread.as_str());
        self.queue.send_edu(servers, &edu, Keep::Latest { key, lasts: RECEIPTS_LAST }).await
    }

    async fn follow_presence(&self) {
        if !self.tell_presence {
            return;
        }
        let mut changes = self.presence.changes();
        while let Some(user) = next(&mut changes).await {
            if self.is_ours(&user) {
                log(self.presence(&user).await);
            }
        }
    }

    async fn presence(&self, user: &UserId) -> Result<(), QueueError> {
        let Ok(status) = self.presence.now(user).await else { return Ok(()) };
        let view = self.rooms.db().view();
        let mut servers = HashSet::new();
        for room in self.rooms.joined_rooms(&view, user).await? {
            servers.extend(self.rooms.servers_in(&view, room).await?);
        }
        let mut push = json!({
            "user_id": user, "presence": status.state.as_str(), "currently_active": status.currently_active,
            "last_active_ago": status.active_ago.unwrap_or(0),
        });
        if let (Some(message), Value::Object(push)) = (status.status, &mut push) {
            push.insert("status_msg".into(), message.into());
        }
        let edu = json!({ "edu_type": "m.presence", "content": { "push": [push] } });
        let keep = Keep::Latest { key: format!("presence {user}"), lasts: PRESENCE_LASTS };
        self.queue.send_edu(servers, &edu, keep).await
    }

    fn is_ours(&self, user: &UserId) -> bool {
        user.server_name() == self.queue.own()
    }

    /// The id of a room and the other servers in it; `None` if there are none.
    async fn audience(&self, room: RoomNum) -> Result<Option<(ruma::OwnedRoomId, Vec<OwnedServerName>)>, QueueError> {
        let view = self.rooms.db().view();
        let mut servers = self.rooms.servers_in(&view, room).await?;
        servers.retain(|server| server != self.queue.own());
        if servers.is_empty() {
            return Ok(None);
        }
        Ok(Some((self.rooms.info(&view, room).await?.id.clone(), servers)))
    }
}

/// The next change; what was missed for being slow is missed.
async fn next<T: Clone>(changes: &mut broadcast::Receiver<T>) -> Option<T> {
    loop {
        match changes.recv().await {
            Ok(change) => return Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return None,
        }
    }
}

fn log(result: Result<(), QueueError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "something in passing was not sent to other servers");
    }
}
