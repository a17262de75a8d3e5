//! Finding rooms, events and state.

use std::sync::Arc;

use event::{Pdu, RoomVersionRules};
use futures::future::BoxFuture;
use kv::{Read, Stamped};
use ruma::{EventId, OwnedUserId, RoomId, RoomVersionId, UserId};

use crate::{
    EventRow, Membership, Result, RoomError, RoomInfo, Rooms, Tip, UserRoom,
    num::{EventNum, RoomNum},
    state::{Root, StateKey, Trees, keys},
    tables::{EVENT_IDS, EVENTS, EventRef, FORKED, MEMBERS, ROOM_IDS, ROOMS, TIPS, USER_ROOMS},
};

/// A member of a room and the event that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberEvent {
    /// The member.
    pub user: OwnedUserId,
    /// The event.
    pub event: EventNum,
}

/// The rules of a version that is stored, which is therefore one of ours.
pub(crate) fn rules(version: &RoomVersionId) -> Result<RoomVersionRules> {
    event::rules(version).ok_or_else(|| RoomError::UnsupportedVersion(version.to_string()))
}

impl Rooms {
    /// The number of a room that this server knows.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`].
    pub async fn num(&self, read: &impl Read, room: &RoomId) -> Result<RoomNum> {
        if let Some(num) = self.caches.nums.get(room) {
            return Ok(num);
        }
        let num = read.peek(&ROOM_IDS, room).await?.ok_or(RoomError::UnknownRoom)?;
        if read.is_pristine() {
            self.caches.nums.insert(room.to_owned(), num);
        }
        Ok(num)
    }

    /// The number of a room that `user` is in.
    ///
    /// # Errors
    /// [`RoomError::NotJoined`], also when there is no such room.
    pub async fn num_of_joined(&self, read: &impl Read, user: &UserId, room: &RoomId) -> Result<RoomNum> {
        let num = match self.num(read, room).await {
            Err(RoomError::UnknownRoom) => return Err(RoomError::NotJoined),
            other => other?,
        };
        match self.membership(read, user, num).await? {
            Membership::Join => Ok(num),
            _ => Err(RoomError::NotJoined),
        }
    }

    /// What never changes about a room.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`].
    pub async fn info(&self, read: &impl Read, room: RoomNum) -> Result<Arc<RoomInfo>> {
        if let Some(info) = self.caches.infos.get(&room) {
            return Ok(info);
        }
        let info = Arc::new(read.peek(&ROOMS, room).await?.ok_or(RoomError::UnknownRoom)?);
        if read.is_pristine() {
            self.caches.infos.insert(room, info.clone());
        }
        Ok(info)
    }

    /// Where a room stands. A transaction that reads it decides on it.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`].
    pub async fn tip(&self, read: &impl Read, room: RoomNum) -> Result<Tip> {
        read.get(&TIPS, room).await?.ok_or(RoomError::UnknownRoom)
    }

    /// Where an event is.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn locate(&self, read: &impl Read, event: &EventId) -> Result<Option<EventRef>> {
        Ok(read.get(&EVENT_IDS, event).await?)
    }

    /// The number of an event of this room.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`].
    pub async fn event_num(&self, read: &impl Read, room: RoomNum, event: &EventId) -> Result<EventNum> {
        match self.locate(read, event).await? {
            Some(found) if found.room == room => Ok(found.num),
            _ => Err(RoomError::UnknownEvent),
        }
    }

    /// An event with what is known of it.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`].
    pub async fn row(&self, read: &impl Read, room: RoomNum, num: EventNum) -> Result<EventRow> {
        read.peek(&EVENTS, (room, num)).await?.ok_or(RoomError::UnknownEvent)
    }

    /// Events in the order asked for; those that are gone are left out.
    ///
    /// # Errors
    /// When storage fails.
    pub fn rows<'a>(
        &'a self,
        read: &'a impl Read,
        room: RoomNum,
        nums: impl IntoIterator<Item = EventNum>,
    ) -> BoxFuture<'a, Result<Vec<(EventNum, EventRow)>>> {
        let nums: Vec<_> = nums.into_iter().collect();
        // Boxed, so that the future does not carry the type of the iterator, closures and all.
        Box::pin(async move {
            let keys: Vec<_> = nums.iter().map(|num| (room, *num)).collect();
            let rows = read.get_many(&EVENTS, keys).await?;
            Ok(nums.into_iter().zip(rows).filter_map(|(num, row)| row.map(|row| (num, row))).collect())
        })
    }

    /// The number of a state key in its room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_key(
        &self,
        read: &impl Read,
        room: RoomNum,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<StateKey>> {
        let name = (room, format!("{kind}\0{state_key}"));
        if let Some(key) = self.caches.keys.get(&name) {
            return Ok(Some(key));
        }
        let key = keys::find(read, room, kind, state_key).await?;
        if let Some(key) = key
            && read.is_pristine()
        {
            self.caches.keys.insert(name, key);
        }
        Ok(key)
    }

    /// The state trees of a room.
    pub fn trees(&self, room: RoomNum) -> Trees<'_> {
        Trees::new(room, &self.caches.nodes)
    }

    /// The number of the state event at (`kind`, `state_key`) in the state `root`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_num(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<EventNum>> {
        let Some(key) = self.state_key(read, room, kind, state_key).await? else { return Ok(None) };
        Ok(self.trees(room).get(read, root, key).await?.map(EventNum))
    }

    /// The state event at (`kind`, `state_key`) in the state `root`, parsed.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_event(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<Arc<Pdu>>> {
        match self.state_num(read, room, root, kind, state_key).await? {
            Some(num) => Ok(Some(self.pdu(read, room, num).await?)),
            None => Ok(None),
        }
    }

    /// The numbers of all state events in the state `root`; of one type if `kind` is given.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_nums(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        kind: Option<&str>,
    ) -> Result<Vec<EventNum>> {
        let range = match kind {
            None => 0..StateKey::MAX,
            Some(kind) => match keys::of_type(read, room, kind).await? {
                Some(range) => range,
                None => return Ok(Vec::new()),
            },
        };
        let entries = self.trees(room).entries(read, root, range).await?;
        Ok(entries.into_iter().map(|(_, event)| EventNum(event)).collect())
    }

    /// The numbers of all state events but members' in the state `root`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_nums_without_members(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
    ) -> Result<Vec<EventNum>> {
        let members = keys::of_type(read, room, "m.room.member").await?.unwrap_or(0..0);
        let trees = self.trees(room);
        let mut entries = trees.entries(read, root, 0..members.start).await?;
        entries.extend(trees.entries(read, root, members.end..StateKey::MAX).await?);
        Ok(entries.into_iter().map(|(_, event)| EventNum(event)).collect())
    }

    /// An event, parsed; from the cache if it was read before.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`].
    pub async fn pdu(&self, read: &impl Read, room: RoomNum, num: EventNum) -> Result<Arc<Pdu>> {
        if let Some(pdu) = self.caches.pdu(room, num) {
            return Ok(pdu);
        }
        let row = self.row(read, room, num).await?;
        let info = self.info(read, room).await?;
        let pdu = row.event.to_pdu(&rules(&info.version)?)?;
        if read.is_pristine() && pdu.state_key.is_some() {
            self.caches.keep_pdu(room, num, pdu.clone());
        }
        Ok(pdu)
    }

    /// The state before and after an event.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_after(&self, read: &impl Read, room: RoomNum, num: EventNum, row: &EventRow) -> Result<Root> {
        let Some(state_key) = row.event.state_key() else { return Ok(row.meta.before) };
        let Some(key) = self.state_key(read, room, row.event.kind(), state_key).await? else {
            return Ok(row.meta.before);
        };
        // The tree after a state event was written when it was appended; computing its name writes it nowhere.
        let mut scratch = self.db.begin();
        Ok(self.trees(room).insert(&mut scratch, row.meta.before, key, num.0).await?)
    }

    /// The state that a room had when an event came: what its members knew until then. Where servers spoke at once, that
    /// is not the state before the event.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_when(&self, read: &impl Read, room: RoomNum, num: EventNum, row: &EventRow) -> Result<Root> {
        Ok(read.peek(&FORKED, (room, num)).await?.unwrap_or(row.meta.before))
    }

    /// A user's part in a room, with the position of its last change.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn user_room(&self, read: &impl Read, user: &UserId, room: RoomNum) -> Result<Option<Stamped<UserRoom>>> {
        Ok(read.peek(&USER_ROOMS, (user, room)).await?)
    }

    /// The user's current membership; `Leave` if they never were in the room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn membership(&self, read: &impl Read, user: &UserId, room: RoomNum) -> Result<Membership> {
        Ok(self.user_room(read, user, room).await?.map_or(Membership::Leave, |row| row.value.membership))
    }

    /// All rooms that a user has a part in, left and forgotten ones too.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn user_rooms(&self, read: &impl Read, user: &UserId) -> Result<Vec<(RoomNum, Stamped<UserRoom>)>> {
        let rows = read.scan(&USER_ROOMS, USER_ROOMS.under(&(user,))).collect().await?;
        Ok(rows.into_iter().map(|((_, room), row)| (room, row)).collect())
    }

    /// Whether two users are joined to a common room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn share_a_room(&self, read: &impl Read, a: &UserId, b: &UserId) -> Result<bool> {
        let joined = |rooms: Vec<(RoomNum, Stamped<UserRoom>)>| {
            rooms.into_iter().filter(|(_, row)| row.value.membership == Membership::Join).map(|(room, _)| room)
        };
        let of_a: std::collections::HashSet<_> = joined(self.user_rooms(read, a).await?).collect();
        Ok(joined(self.user_rooms(read, b).await?).any(|room| of_a.contains(&room)))
    }

    /// The members of a room with this membership, by user id.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn members(&self, read: &impl Read, room: RoomNum, membership: Membership) -> Result<Vec<MemberEvent>> {
        let rows = read.scan(&MEMBERS, MEMBERS.under(&(room, membership.code()))).collect().await?;
        Ok(rows.into_iter().map(|((_, _, user), event)| MemberEvent { user, event }).collect())
    }
}
