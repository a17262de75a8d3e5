//! Which events a server may see: those that any of its users could. Server-server API, "History visibility" of
//! backfill and retrieving missing events; client-server API, "Room History Visibility".

use bytes::Bytes;
use kv::Read;
use ruma::{ServerName, UserId};

use crate::{
    EventRow, HistoryVisibility, Membership, Result, Rooms, erased,
    lookup::rules,
    num::{EventNum, RoomNum},
    row::Placement,
    state::Root,
    tables::MEMBERS,
    visibility::Tracked,
};

/// Most users of a server whose past memberships are looked up; those who are joined now come first.
const MAX_USERS: usize = 1000;

/// What decides whether a server sees an event of a room that it is in.
pub(super) struct ServerSight<'a> {
    server: &'a ServerName,
    visibility: Tracked<HistoryVisibility>,
    /// The users of the server who have or had a part in the room; found when they are first needed.
    users: Option<Vec<Tracked<Membership>>>,
}

impl<'a> ServerSight<'a> {
    pub(super) async fn new(rooms: &Rooms, read: &impl Read, room: RoomNum, server: &'a ServerName) -> Result<Self> {
        Ok(Self { server, visibility: rooms.track_visibility(read, room).await?, users: None })
    }

    /// Whether the server sees an event.
    pub(super) async fn sees(
        &mut self,
        rooms: &Rooms,
        read: &impl Read,
        room: RoomNum,
        row: &EventRow,
    ) -> Result<bool> {
        if row.meta.placement == Placement::Outlier {
            // What state it came after is not known. State is no secret among the servers of a room.
            return Ok(row.event.state_key().is_some());
        }
        if self.is_own(row.event.sender()) {
            return Ok(true);
        }
        let before = row.meta.before;
        let visibility = match erased::is_in(&*rooms.erased().await?, row.event.sender()) {
            true => HistoryVisibility::Joined,
            false => self.visibility.at(rooms, read, room, before).await?,
        };
        if self.shows(rooms, read, room, visibility, before).await? {
            return Ok(true);
        }
        // The events that change either may be seen by what was before them or by what they bring.
        match (row.event.kind(), row.event.state_key()) {
            ("m.room.history_visibility", Some("")) => {
                let after = HistoryVisibility::of_content(row.event.content());
                self.shows(rooms, read, room, after, before).await
            }
            ("m.room.member", Some(user)) => Ok(self.is_own(user)),
            _ => Ok(false),
        }
    }

    fn is_own(&self, user: &str) -> bool {
        <&UserId>::try_from(user).is_ok_and(|user| user.server_name() == self.server)
    }

    async fn shows(
        &mut self,
        rooms: &Rooms,
        read: &impl Read,
        room: RoomNum,
        visibility: HistoryVisibility,
        root: Root,
    ) -> Result<bool> {
        let admits = |membership| match visibility {
            // The server is in the room: somebody there joined later.
            HistoryVisibility::WorldReadable | HistoryVisibility::Shared => true,
            HistoryVisibility::Invited => matches!(membership, Membership::Join | Membership::Invite),
            HistoryVisibility::Joined => membership == Membership::Join,
        };
        if admits(Membership::Leave) {
            return Ok(true);
        }
        let users = match &mut self.users {
            Some(users) => users,
            none => none.insert(rooms.users_of(read, room, self.server).await?),
        };
        for at in 0..users.len() {
            let Some(user) = users.get_mut(at) else { break };
            if admits(user.at(rooms, read, room, root).await?) {
                // Who was there at one event was mostly there at the next one.
                users.swap(0, at);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Rooms {
    /// The memberships of the users of `server`, to be followed through states.
    async fn users_of(&self, read: &impl Read, room: RoomNum, server: &ServerName) -> Result<Vec<Tracked<Membership>>> {
        let mut users = Vec::new();
        let mut members = read.scan(&MEMBERS, MEMBERS.under(&(room,)));
        while let Some(((_, _, user), _)) = members.next().await? {
            if user.server_name() == server {
                users.push(self.track_member(read, room, &user).await?);
            }
            if users.len() == MAX_USERS {
                break;
            }
        }
        Ok(users)
    }

    /// The events in federation format as `server`, which is in the room, may see them: redacted where none of its
    /// users could see them. In the order of `rows`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn for_server(
        &self,
        read: &impl Read,
        room: RoomNum,
        server: &ServerName,
        rows: &[(EventNum, EventRow)],
    ) -> Result<Vec<Bytes>> {
        let rules = rules(&self.info(read, room).await?.version)?;
        let mut sight = ServerSight::new(self, read, room, server).await?;
        let mut events = Vec::with_capacity(rows.len());
        for (_, row) in rows {
            if sight.sees(self, read, room, row).await? {
                events.push(row.event.json());
            } else {
                events.push(row.event.to_pdu(&rules)?.redact(&rules)?.json().clone());
            }
        }
        Ok(events)
    }

    /// The rows that `server`, which is in the room, may see, in their order.
    pub(crate) async fn visible_to_server(
        &self,
        read: &impl Read,
        room: RoomNum,
        server: &ServerName,
        rows: Vec<(EventNum, EventRow)>,
    ) -> Result<Vec<(EventNum, EventRow)>> {
        let mut sight = ServerSight::new(self, read, room, server).await?;
        let mut seen = Vec::with_capacity(rows.len());
        for (num, row) in rows {
            if row.meta.is_shown() && sight.sees(self, read, room, &row).await? {
                seen.push((num, row));
            }
        }
        Ok(seen)
    }
}
