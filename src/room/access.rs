//! Which state of a room somebody may read, and up to where its timeline.

use kv::{KeyPart, Read, Table};
use ruma::{RoomId, UserId};

use crate::{
    EventRow, HistoryVisibility, Membership, Result, RoomError, Rooms,
    num::{EventNum, Place, RoomNum},
    state::Root,
    tables::MEMBERS,
    timeline::Direction,
    token::TimelineToken,
    visibility::{Stay, membership_in},
};

/// A room as a user may read it: now for members and where everybody may read, as it was when they left for
/// those who left.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// The room.
    pub room: RoomNum,
    /// The state.
    pub state: Root,
    /// The state is that of [`Access::until`] and not the current one.
    pub past: bool,
    /// Nothing after this place is for the user.
    pub until: Place,
}

/// The rest of a key that nobody looks at.
struct Unread;

impl KeyPart for Unread {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        *input = &[];
        Some(Self)
    }
}

/// [`crate::tables::MEMBERS`] for who wants the events and not the names: reading those takes longer than all else.
const MEMBER_EVENTS: Table<(RoomNum, u8, Unread), EventNum> =
    Table::new(MEMBERS.info().id, MEMBERS.name(), MEMBERS.info().version);

impl Rooms {
    /// What a user may read of a room.
    ///
    /// # Errors
    /// [`RoomError::NotJoined`] when nothing, or there is no such room.
    pub async fn access(&self, read: &impl Read, user: &UserId, room: &RoomId) -> Result<Access> {
        let room = match self.num(read, room).await {
            Err(RoomError::UnknownRoom) => return Err(RoomError::NotJoined),
            other => other?,
        };
        let tip = match self.tip(read, room).await {
            // A room that this server only has an invite to.
            Err(RoomError::UnknownRoom) => return Err(RoomError::NotJoined),
            other => other?,
        };
        let now = Access { room, state: tip.state, past: false, until: Place::MAX };
        let part = self.user_room(read, user, room).await?.map(|part| part.value);
        if part.as_ref().is_some_and(|part| part.membership == Membership::Join)
            || self.history_visibility(read, room, tip.state).await? == HistoryVisibility::WorldReadable
        {
            return Ok(now);
        }
        let part = part.filter(|part| !part.forgotten).ok_or(RoomError::NotJoined)?;
        if !matches!(part.membership, Membership::Leave | Membership::Ban) {
            return Err(RoomError::NotJoined);
        }
        // Invites that were declined and bans that came later show nothing of what went on meanwhile.
        let Stay::Ended { num, place, row } = self.last_stay(read, room, user).await? else {
            return Err(RoomError::NotJoined);
        };
        let state = self.state_after(read, room, num, &row).await?;
        Ok(Access { room, state, past: true, until: place })
    }

    /// The state event at (`kind`, `state_key`) in the state `root`, as it is stored.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`] when there is none.
    pub async fn state_row(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        kind: &str,
        state_key: &str,
    ) -> Result<(EventNum, EventRow)> {
        let num = self.state_num(read, room, root, kind, state_key).await?.ok_or(RoomError::UnknownEvent)?;
        Ok((num, self.row(read, room, num).await?))
    }

    /// All state events of the state `root`; of one type if `kind` is given.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_rows(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        kind: Option<&str>,
    ) -> Result<Vec<(EventNum, EventRow)>> {
        let nums = self.state_nums(read, room, root, kind).await?;
        self.rows(read, room, nums).await
    }

    /// The state of a room at a point of its timeline: with the newest event before it.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn state_at(&self, read: &impl Read, room: RoomNum, at: TimelineToken) -> Result<Root> {
        let page = self.timeline(read, room, at.bound(Direction::Backward), Direction::Backward, 1).await?;
        match page.events.first() {
            Some((_, num, row)) => self.state_after(read, room, *num, row).await,
            None => Ok(Root::EMPTY),
        }
    }

    /// The member events that a user may read, at a point of the timeline if given, with this membership and
    /// without that one. Before a room began nobody is in it: that point is taken for its beginning, with its creator.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn member_rows(
        &self,
        read: &impl Read,
        access: &Access,
        at: Option<TimelineToken>,
        wanted: Option<Membership>,
        unwanted: Option<Membership>,
    ) -> Result<Vec<(EventNum, EventRow)>> {
        let admitted = |membership| wanted.is_none_or(|w| w == membership) && Some(membership) != unwanted;
        if !access.past && at.is_none() && (wanted, unwanted) != (None, None) {
            let mut nums = Vec::new();
            for membership in Membership::ALL.into_iter().filter(|membership| admitted(*membership)) {
                let range = MEMBER_EVENTS.under(&(access.room, membership.code()));
                let members = read.scan(&MEMBER_EVENTS, range).collect().await?;
                nums.extend(members.into_iter().map(|(_, event)| event));
            }
            return self.rows(read, access.room, nums).await;
        }
        let root = match at.filter(|at| at.admits(access.until, Direction::Backward)) {
            Some(at) => match self.state_at(read, access.room, at).await? {
                Root::EMPTY => self.beginning(read, access.room).await?,
                root => root,
            },
            None => access.state,
        };
        let mut rows = self.state_rows(read, access.room, root, Some("m.room.member")).await?;
        if (wanted, unwanted) != (None, None) {
            rows.retain(|(_, row)| membership_in(row.event.content()).is_some_and(admitted));
        }
        Ok(rows)
    }

    /// The state with the first two events that are known: of whole rooms `m.room.create` and the creator's join.
    async fn beginning(&self, read: &impl Read, room: RoomNum) -> Result<Root> {
        let page = self.timeline(read, room, Place::MIN, Direction::Forward, 2).await?;
        match page.events.last() {
            Some((_, num, row)) => self.state_after(read, room, *num, row).await,
            None => Ok(Root::EMPTY),
        }
    }

    /// The member events of these users in the state `root`, each once.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn members_of(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
        users: Vec<&str>,
    ) -> Result<Vec<(EventNum, EventRow)>> {
        let users: std::collections::BTreeSet<_> = users.into_iter().collect();
        let mut nums = Vec::with_capacity(users.len());
        for user in users {
            nums.extend(self.state_num(read, room, root, "m.room.member", user).await?);
        }
        self.rows(read, room, nums).await
    }

    /// The member events of those who sent `rows`, as they were at the first of them.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn senders_of(
        &self,
        read: &impl Read,
        room: RoomNum,
        rows: &[(EventNum, EventRow)],
    ) -> Result<Vec<(EventNum, EventRow)>> {
        let Some((num, first)) = rows.first() else { return Ok(Vec::new()) };
        let root = self.state_after(read, room, *num, first).await?;
        let senders = rows.iter().map(|(_, row)| row.event.sender()).collect();
        self.members_of(read, room, root, senders).await
    }
}
