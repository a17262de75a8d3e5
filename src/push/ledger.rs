//! Running sums: what was summed between two places costs two seeks, however much it is.

use kv::{Read, Result, Tx};
use room::{EventNum, Place, RoomNum};
use ruma::UserId;

use crate::{
    tables::{REDACTED, SUMS},
    tally::{Signature, Sums},
};

/// The thread of rows about the room as a whole; no event has this number.
pub const ROOM: EventNum = EventNum(0);

/// Which events are summed.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// All of the room.
    All,
    /// Those of one sender.
    From(&'a UserId),
    /// Those that concern a user, as what they are to them.
    To(&'a UserId),
    /// Those of one sender that concern a user.
    FromTo(&'a UserId, &'a UserId),
}

impl Scope<'_> {
    /// As it stands in keys; user ids have no spaces.
    fn key(self) -> String {
        match self {
            Self::All => String::new(),
            Self::From(sender) => format!("from {sender}"),
            Self::To(user) => format!("to {user}"),
            Self::FromTo(sender, user) => format!("to {user} {sender}"),
        }
    }
}

/// An event that is summed, or was.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The room.
    pub room: RoomNum,
    /// Its thread.
    pub thread: Option<EventNum>,
    /// Its place; later than that of all that was summed before.
    pub place: Place,
}

/// Adds an event to the sums of `scope`.
pub async fn add(tx: &mut Tx, entry: Entry, scope: Scope<'_>, signature: &Signature) -> Result<()> {
    let Entry { room, thread, place } = entry;
    let scope = scope.key();
    for root in [Some(ROOM), thread].into_iter().flatten() {
        let mut sums = until(tx, room, &scope, root, Place::MAX).await?;
        sums.part(thread.is_some()).add(signature.clone(), 1);
        tx.put(&SUMS, (room, scope.as_str(), root, place), &sums);
    }
    Ok(())
}

/// Notes that an event that was added is redacted.
pub async fn strike(tx: &mut Tx, entry: Entry, scope: Scope<'_>) -> Result<()> {
    let Entry { room, thread, place } = entry;
    let scope = scope.key();
    for root in [Some(ROOM), thread].into_iter().flatten() {
        let Some(mut event) = tx.peek(&SUMS, (room, scope.as_str(), root, place)).await? else { continue };
        event.subtract(&until(tx, room, &scope, root, place.prev()).await?);
        tx.put(&REDACTED, (room, scope.as_str(), root, place), &event);
    }
    Ok(())
}

/// A stretch of a room, or of one of its threads: what is after some place.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// The room.
    pub room: RoomNum,
    /// The thread, or [`ROOM`].
    pub root: EventNum,
    /// Events of the main timeline are later than this.
    pub main: Place,
    /// Events of threads are later than this.
    pub threads: Place,
    /// The last place that belongs to it.
    pub to: Place,
}

/// What was added in `stretch` and is not redacted.
pub async fn within(read: &impl Read, scope: Scope<'_>, stretch: Stretch) -> Result<Sums> {
    let Stretch { room, root, main, threads, to } = stretch;
    let scope = scope.key();
    let mut sums = until(read, room, &scope, root, to).await?;
    if !sums.main.is_empty() {
        sums.main.subtract(&until(read, room, &scope, root, main).await?.main);
    }
    if !sums.threads.is_empty() {
        sums.threads.subtract(&until(read, room, &scope, root, threads).await?.threads);
    }
    if sums == Sums::default() {
        return Ok(sums);
    }
    let key = |place| (room, scope.as_str(), root, place);
    let from = if sums.threads.is_empty() { main } else { main.min(threads) };
    let start = REDACTED.key(&key(from.next()));
    let mut redacted = read.scan(&REDACTED, kv::Range { start, ..REDACTED.upto(&(room, &*scope, root), &key(to)) });
    while let Some(((.., place), event)) = redacted.next().await? {
        if place > main {
            sums.main.subtract(&event.main);
        }
        if place > threads {
            sums.threads.subtract(&event.threads);
        }
    }
    Ok(sums)
}

/// What was added up to `to`.
async fn until(read: &impl Read, room: RoomNum, scope: &str, root: EventNum, to: Place) -> Result<Sums> {
    let range = SUMS.upto(&(room, scope, root), &(room, scope, root, to));
    let last = read.scan_back(&SUMS, range).by(1).next().await?;
    Ok(last.map(|(_, sums)| sums).unwrap_or_default())
}
