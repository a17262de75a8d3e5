use base::Clock;
use kv::{Db, Read, Stamp, Stamped, Topic, View};
use room::{EventNum, EventRow, Place, RoomError, RoomNum, Rooms};
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::{
    EphemeralError, Result,
    changes::{Changes, ReceiptChange},
    tables::{OWN_RECEIPTS, RECEIPT_LOG, RECEIPTS},
};

/// Who may know of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptKind {
    /// `m.read`: everybody in the room.
    Public,
    /// `m.read.private`: the user's own devices.
    Private,
}

impl ReceiptKind {
    /// As it stands in keys.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// As it stands in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "m.read",
            Self::Private => "m.read.private",
        }
    }

    fn of_code(code: u8) -> Self {
        if code == 0 { Self::Public } else { Self::Private }
    }
}

/// What a receipt counts for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thread {
    /// The whole room, as clients without threads mean it.
    Unthreaded,
    /// The main timeline.
    Main,
    /// The thread below this event.
    Root(OwnedEventId),
}

impl Thread {
    /// As it stands in keys: empty, `main`, or the id of the root.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unthreaded => "",
            Self::Main => "main",
            Self::Root(root) => root.as_str(),
        }
    }

    fn of_key(key: &str) -> Self {
        match key {
            "" => Self::Unthreaded,
            "main" => Self::Main,
            root => EventId::parse(root).map_or(Self::Unthreaded, Self::Root),
        }
    }
}

/// How far a user has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRow {
    /// The last event read.
    pub event: OwnedEventId,
    /// Its place in the timeline.
    pub place: Place,
    /// When the receipt was sent, in milliseconds since the Unix epoch.
    pub at: u64,
}

/// The part of a receipt's key after the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptKey {
    user: OwnedUserId,
    kind: u8,
    thread: String,
}
kv::value!(ReceiptKey, ReceiptRow);

/// A receipt with whose and of what kind it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who has read.
    pub user: OwnedUserId,
    /// Who may know.
    pub kind: ReceiptKind,
    /// What it counts for.
    pub thread: Thread,
    /// How far.
    pub row: ReceiptRow,
}

/// How far up relations are followed. Client-server API, "Threading".
const MAX_HOPS: usize = 3;

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "m.relates_to")]
    relates_to: RelatesTo,
}

#[derive(Deserialize)]
struct RelatesTo {
    event_id: Option<OwnedEventId>,
}

/// How far everybody has read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Receipts {
    db: Db,
    rooms: Rooms,
    clock: Clock,
    changes: Changes<ReceiptChange>,
}

impl Receipts {
    /// The receipts in `db`.
    pub fn new(db: Db, rooms: Rooms, clock: Clock) -> Self {
        Self { db, rooms, clock, changes: Changes::default() }
    }

    /// Notes that `user` has read up to `event`. A receipt for an earlier event than the one known changes nothing.
    ///
    /// # Errors
    /// [`EphemeralError::UnknownEvent`], [`EphemeralError::NotInThread`], [`EphemeralError::NotJoined`].
    pub async fn set(
        &self,
        user: &UserId,
        room_id: &RoomId,
        kind: ReceiptKind,
        thread: &Thread,
        event: &EventId,
    ) -> Result<()> {
        let now = self.clock.now();
        let view = self.db.view();
        let room = match self.rooms.num(&view, room_id).await {
            Err(RoomError::UnknownRoom) => return Err(EphemeralError::NotJoined),
            other => other?,
        };
        if self.rooms.membership(&view, user, room).await? != room::Membership::Join {
            return Err(EphemeralError::NotJoined);
        }
        let num = match self.rooms.event_num(&view, room, event).await {
            Err(RoomError::UnknownEvent) => return Err(EphemeralError::UnknownEvent),
            other => other?,
        };
        let stored = self.rooms.row(&view, room, num).await?;
        let place = stored.meta.place.ok_or(EphemeralError::UnknownEvent)?;
        if !self.is_in_thread(&view, room, num, &stored, thread).await? {
            return Err(EphemeralError::NotInThread);
        }
        let row = ReceiptRow { event: event.to_owned(), place, at: now };
        let moved = kv::retry(|| self.write(user, room, kind, thread, &row)).await?;
        if moved && kind == ReceiptKind::Public {
            let (user, event) = (user.to_owned(), row.event);
            self.changes.tell(ReceiptChange { room, user, thread: thread.clone(), event, at: now });
        }
        Ok(())
    }

    /// The public receipts that move from now on.
    pub fn changes(&self) -> broadcast::Receiver<ReceiptChange> {
        self.changes.follow()
    }

    /// Writes a receipt unless it would move back; answers whether it moved.
    async fn write(
        &self,
        user: &UserId,
        room: RoomNum,
        kind: ReceiptKind,
        thread: &Thread,
        row: &ReceiptRow,
    ) -> Result<bool> {
        let mut tx = self.db.begin();
        let key = (room, user, kind.code(), thread.as_str());
        if let Some(old) = tx.get(&RECEIPTS, key).await? {
            if old.value.place >= row.place {
                // Waits until what is known is durable.
                tx.commit().await?;
                return Ok(false);
            }
            tx.delete(&RECEIPT_LOG, (room, old.at));
            tx.delete(&OWN_RECEIPTS, (user, old.at));
        }
        let slot = tx.stamp();
        tx.put_stamped(&RECEIPTS, key, slot, row.clone());
        let rest = ReceiptKey { user: user.to_owned(), kind: kind.code(), thread: thread.as_str().to_owned() };
        tx.put(&RECEIPT_LOG, (room, slot), &rest);
        tx.put(&OWN_RECEIPTS, (user, slot), &room);
        tx.announce(Topic::User(user.to_owned()), slot);
        if kind == ReceiptKind::Public {
            tx.announce(Topic::Receipts(room.0), slot);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Whether an event is in a thread, its root and what refers to the root included. Client-server API, "Threaded
    /// read receipts".
    async fn is_in_thread(
        &self,
        view: &View,
        room: RoomNum,
        num: EventNum,
        row: &EventRow,
        thread: &Thread,
    ) -> Result<bool> {
        let root = match thread {
            Thread::Unthreaded => return Ok(true),
            Thread::Main => return Ok(self.rooms.thread_root_of(view, room, num).await?.is_none()),
            Thread::Root(root) => root,
        };
        if row.event.event_id() == root.as_str() {
            return Ok(true);
        }
        if let Some(in_thread) = self.rooms.thread_root_of(view, room, num).await? {
            return Ok(self.rooms.row(view, room, in_thread).await?.event.event_id() == root.as_str());
        }
        let mut parent = parent_of(row);
        for _ in 0..MAX_HOPS {
            let Some(id) = parent else { return Ok(false) };
            if id == *root {
                return Ok(true);
            }
            let Some(at) = self.rooms.locate(view, &id).await?.filter(|at| at.room == room) else { return Ok(false) };
            parent = parent_of(&self.rooms.row(view, room, at.num).await?);
        }
        Ok(false)
    }

    /// All receipts of a room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn all(&self, read: &impl Read, room: RoomNum) -> Result<Vec<Receipt>> {
        let rows = read.scan(&RECEIPTS, RECEIPTS.under(&(room,))).collect().await?;
        Ok(rows.into_iter().map(|((_, user, kind, thread), row)| receipt(user, kind, &thread, row)).collect())
    }

    /// The receipts of one user in a room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn of_user(&self, read: &impl Read, room: RoomNum, user: &UserId) -> Result<Vec<Receipt>> {
        let rows = read.scan(&RECEIPTS, RECEIPTS.under(&(room, user))).by(16).collect().await?;
        Ok(rows.into_iter().map(|((_, user, kind, thread), row)| receipt(user, kind, &thread, row)).collect())
    }

    /// The rooms in which a user's own receipts moved from `from` on and before `to`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn own_rooms(&self, read: &impl Read, user: &UserId, from: Stamp, to: Stamp) -> Result<Vec<RoomNum>> {
        let range = OWN_RECEIPTS.between(&(user, from), &(user, to));
        Ok(read.scan(&OWN_RECEIPTS, range).collect().await?.into_iter().map(|(_, room)| room).collect())
    }

    /// The receipts of a room that were set from `from` on and before `to`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn between(&self, read: &impl Read, room: RoomNum, from: Stamp, to: Stamp) -> Result<Vec<Receipt>> {
        let log = read.scan(&RECEIPT_LOG, RECEIPT_LOG.between(&(room, from), &(room, to))).collect().await?;
        let keys: Vec<_> = log.into_iter().map(|(_, key)| key).collect();
        let rows =
            read.get_many(&RECEIPTS, keys.iter().map(|key| (room, &key.user, key.kind, key.thread.as_str()))).await?;
        let found = keys.into_iter().zip(rows);
        Ok(found.filter_map(|(key, row)| Some(receipt(key.user, key.kind, &key.thread, row?))).collect())
    }
}

fn receipt(user: OwnedUserId, kind: u8, thread: &str, row: Stamped<ReceiptRow>) -> Receipt {
    Receipt { user, kind: ReceiptKind::of_code(kind), thread: Thread::of_key(thread), row: row.value }
}

/// The event that an event refers to.
fn parent_of(row: &EventRow) -> Option<OwnedEventId> {
    let content: Content = serde_json::from_str(row.event.content()).ok()?;
    content.relates_to.event_id
}
