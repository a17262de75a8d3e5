//! Which threads users follow: MSC4306, and their list: MSC4308.

use std::cmp::Reverse;

use kv::{Conflicts, Db, Read, Stamp, Stamped, Topic, View, WriterId};
use room::{EventNum, Place, RoomError, RoomNum, Rooms, Viewer};
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::tables::{SUBSCRIPTION_LOG, SUBSCRIPTIONS};

/// Whether a user follows a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subscription {
    /// They do: `automatic` if their client decided so.
    On {
        /// The client decided it, because of an event in the thread.
        automatic: bool,
    },
    /// They no longer do since the room was at this place; what came before does not make them follow it again.
    Off(Place),
}

/// The thread that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadKey {
    room: RoomNum,
    root: EventNum,
}
kv::value!(Subscription, ThreadKey);

/// Why a thread is not followed.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The event that is to be the reason is not in the thread.
    #[error("the event is not in this thread")]
    NotInThread,
    /// The user left the thread after the event that is to be the reason.
    #[error("you left this thread after that event")]
    LeftSince,
    /// The user does not follow the thread.
    #[error("you do not follow this thread")]
    NotSubscribed,
    /// A page token is not one of ours.
    #[error("the token is not one that this server gave")]
    BadToken,
    /// In the room.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl Conflicts for SubscriptionError {
    fn is_conflict(&self) -> bool {
        match self {
            Self::Room(error) => error.is_conflict(),
            Self::Store(error) => error.is_conflict(),
            _ => false,
        }
    }
}

type Result<T, E = SubscriptionError> = std::result::Result<T, E>;

/// A thread that a user began or ceased to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The room.
    pub room: OwnedRoomId,
    /// The event that the thread starts from.
    pub root: OwnedEventId,
    /// What changed.
    pub subscription: Subscription,
    /// Orders the changes of one thread.
    pub bump: u64,
}

/// The threads that users follow. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    db: Db,
    rooms: Rooms,
}

impl Subscriptions {
    /// The subscriptions in `db`, to threads of `rooms`.
    pub fn new(db: Db, rooms: Rooms) -> Self {
        Self { db, rooms }
    }

    /// Whether the user follows the thread, and whether their client decided it.
    ///
    /// # Errors
    /// [`SubscriptionError::NotSubscribed`]; [`RoomError::UnknownEvent`] if the user may not see the root.
    pub async fn get(&self, viewer: &Viewer<'_>, room: &RoomId, root: &EventId) -> Result<bool> {
        let view = self.db.view();
        let (room, (root, _)) = self.rooms.visible_event(&view, viewer, room, root).await?;
        match view.get(&SUBSCRIPTIONS, (viewer.user, room, root)).await?.map(|row| row.value) {
            Some(Subscription::On { automatic }) => Ok(automatic),
            Some(Subscription::Off(_)) | None => Err(SubscriptionError::NotSubscribed),
        }
    }

    /// Has the user follow a thread; `because` of an event in it if their client decides that for them.
    ///
    /// # Errors
    /// [`SubscriptionError::NotInThread`], [`SubscriptionError::LeftSince`]; [`RoomError::UnknownEvent`] if the user
    /// may not see the root.
    pub async fn subscribe(
        &self,
        viewer: &Viewer<'_>,
        room: &RoomId,
        root: &EventId,
        because: Option<&EventId>,
    ) -> Result<()> {
        let view = self.db.view();
        let (num, (root, _)) = self.rooms.visible_event(&view, viewer, room, root).await?;
        let reason = match because {
            None => None,
            Some(event) => Some(self.reason(&view, viewer, (num, room), root, event).await?),
        };
        drop(view);
        let row = Subscription::On { automatic: reason.is_some() };
        self.set(viewer.user, ThreadKey { room: num, root }, row, |old| match (old, reason) {
            // Whom a client makes follow a thread may do so already, or have left it since.
            (Some(Subscription::On { .. }), Some(_)) => Ok(false),
            (Some(Subscription::Off(left)), Some(reason)) if reason <= *left => Err(SubscriptionError::LeftSince),
            (old, _) => Ok(old != Some(&row)),
        })
        .await
    }

    /// Has the user no longer follow a thread.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`] if the user may not see the root.
    pub async fn unsubscribe(&self, viewer: &Viewer<'_>, room: &RoomId, root: &EventId) -> Result<()> {
        let view = self.db.view();
        let (num, (root, _)) = self.rooms.visible_event(&view, viewer, room, root).await?;
        let newest = self.rooms.place_at(&view, num, view.positions()).await?.unwrap_or(Place::MIN);
        drop(view);
        let row = Subscription::Off(newest);
        let is_on = |old: Option<&Subscription>| Ok(matches!(old, Some(Subscription::On { .. })));
        self.set(viewer.user, ThreadKey { room: num, root }, row, is_on).await
    }

    /// The place of an event that is to be the reason for following a thread.
    async fn reason(
        &self,
        view: &View,
        viewer: &Viewer<'_>,
        (num, room): (RoomNum, &RoomId),
        root: EventNum,
        event: &EventId,
    ) -> Result<Place> {
        let (_, (event, row)) = self.rooms.visible_event(view, viewer, room, event).await?;
        if event == root || self.rooms.thread_root_of(view, num, event).await? != Some(root) {
            return Err(SubscriptionError::NotInThread);
        }
        row.meta.place.ok_or(SubscriptionError::NotInThread)
    }

    /// Sets a row if `wanted` says so of the one before.
    async fn set(
        &self,
        user: &UserId,
        thread: ThreadKey,
        row: Subscription,
        wanted: impl Fn(Option<&Subscription>) -> Result<bool>,
    ) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let key = (user, thread.room, thread.root);
            let old = tx.get(&SUBSCRIPTIONS, key).await?;
            if !wanted(old.as_ref().map(|old| &old.value))? {
                // What is there may still be on its way to the disk.
                return Ok(tx.commit().await?);
            }
            if let Some(old) = old {
                tx.delete(&SUBSCRIPTION_LOG, (user, old.at));
            }
            let slot = tx.stamp();
            tx.put_stamped(&SUBSCRIPTIONS, key, slot, row);
            tx.put(&SUBSCRIPTION_LOG, (user, slot), &thread);
            tx.announce(Topic::User(user.to_owned()), slot);
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The newest changes before `from` and after `to`, at most `limit`; and from where to read on, if there are more.
    ///
    /// # Errors
    /// [`SubscriptionError::BadToken`].
    pub async fn changes(
        &self,
        user: &UserId,
        from: Option<&str>,
        to: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Followed>, Option<String>)> {
        let view = self.db.view();
        let last = Stamp { writer: WriterId(u16::MAX), n: u64::MAX };
        let from = from.map_or(Ok(last), parse)?;
        let to = to.map_or(Ok(Stamp { writer: WriterId(0), n: 0 }), parse)?;
        let range = SUBSCRIPTION_LOG.between(&(user, Stamp { n: to.n.saturating_add(1), ..to }), &(user, from));
        let mut log = view.scan_back(&SUBSCRIPTION_LOG, range).by(limit + 1).first(limit + 1).await?;
        let more = log.len() > limit;
        log.truncate(limit);
        let end = log.last().filter(|_| more).map(|((_, at), _)| format!("f{}_{}", at.writer.0, at.n));
        let mut found = Vec::with_capacity(log.len());
        for (_, thread) in log {
            let row = view.get(&SUBSCRIPTIONS, (user, thread.room, thread.root)).await?;
            if let Some(row) = row {
                found.push(self.followed(&view, thread, &row).await?);
            }
        }
        found.sort_by_key(|followed| Reverse(followed.bump));
        Ok((found, end))
    }

    async fn followed(&self, view: &View, thread: ThreadKey, row: &Stamped<Subscription>) -> Result<Followed> {
        let room = self.rooms.info(view, thread.room).await?.id.clone();
        let event = self.rooms.row(view, thread.room, thread.root).await?;
        let root = OwnedEventId::try_from(event.event.event_id());
        let root = root.map_err(|error| kv::Error::corrupt(SUBSCRIPTIONS.name(), error))?;
        Ok(Followed { room, root, subscription: row.value, bump: row.at.n })
    }
}

/// Reads a token that [`Subscriptions::changes`] gave.
fn parse(token: &str) -> Result<Stamp> {
    let parts = token.strip_prefix('f').and_then(|token| token.split_once('_'));
    let stamp =
        parts.and_then(|(writer, n)| Some(Stamp { writer: WriterId(writer.parse().ok()?), n: n.parse().ok()? }));
    stamp.ok_or(SubscriptionError::BadToken)
}
