//! Taking in what another server makes of a template, and what it is told then.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use event::Pdu;
use kv::Read;
use ruma::{OwnedServerName, RoomId, ServerName, UserId};
use serde::Deserialize;

use crate::{
    Entry, EventRow, Ingested, Membership, Result, RoomError, Rooms,
    num::{EventNum, RoomNum},
    state::{StateKey, keys},
    tables::MEMBERS,
};

/// Members that a room without a name is called by. Client-server API, "Syncing": `m.heroes`.
const HEROES: usize = 5;

/// A room as a server that comes in gets it, in federation format.
#[derive(Debug, Clone, Default)]
pub struct Admitted {
    /// The state before the join.
    pub state: Vec<Bytes>,
    /// The auth chain of that state and of the join.
    pub auth_chain: Vec<Bytes>,
    /// The servers with joined members.
    pub servers: Vec<OwnedServerName>,
}

#[derive(Deserialize)]
struct Vouched {
    #[serde(default)]
    join_authorised_via_users_server: Option<String>,
}

impl Rooms {
    /// Takes in the member event of a user of `origin`, whose signatures were checked, and passes it on to the room.
    /// One that is there already is good as well: the first answer may have been lost.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`]; [`RoomError::Denied`] when the rules do not allow it, or what came before is not
    /// known here.
    pub async fn admit(&self, room_id: &RoomId, pdu: &Arc<Pdu>, origin: &ServerName) -> Result<EventNum> {
        match self.ingest_for(room_id, pdu, origin).await? {
            Ingested::Accepted(num) => Ok(num),
            Ingested::Known => {
                let view = self.db.view();
                let room = self.num(&view, room_id).await?;
                let num = self.event_num(&view, room, &pdu.event_id).await?;
                match self.row(&view, room, num).await?.meta.is_shown() {
                    true => Ok(num),
                    false => Err(RoomError::Denied("the event was refused before".into())),
                }
            }
            Ingested::SoftFailed(reason) | Ingested::Rejected(reason) => Err(RoomError::Denied(reason)),
            Ingested::Missing(_) => {
                Err(RoomError::Denied("the event refers to events that this server does not know".into()))
            }
        }
    }

    /// The user of this server who vouches for a restricted join, if they may: our signature is wanted then. `None`
    /// when nobody of this server does.
    ///
    /// # Errors
    /// [`RoomError::Denied`] and others of [`Entry`] when the join is not allowed any more.
    pub async fn vouches(&self, room: RoomNum, join: &Pdu) -> Result<bool> {
        let content: Vouched = serde_json::from_str(join.content.get())
            .map_err(|_| RoomError::BadContent("join_authorised_via_users_server is not a user id".into()))?;
        let Some(voucher) = content.join_authorised_via_users_server else { return Ok(false) };
        let voucher = <&UserId>::try_from(&*voucher)
            .map_err(|_| RoomError::BadContent("join_authorised_via_users_server is not a user id".into()))?;
        if voucher.server_name() != self.server() {
            return Ok(false);
        }
        let tx = self.db.begin();
        let tip = self.tip(&tx, room).await?;
        if matches!(self.member_in(&tx, room, &tip, join.sender.as_str()).await?, Membership::Join | Membership::Invite)
        {
            return Ok(true);
        }
        match self.entry(&tx, room, &tip, &join.sender).await? {
            // The rules look at whether `voucher` themselves has the power.
            Entry::By(_) => Ok(true),
            Entry::Unrestricted => Ok(false),
            refused => Err(refused.into_error()),
        }
    }

    /// What a server is told whose user came in by the event `join`: all of the state, or all but most members.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`].
    pub async fn admitted(&self, read: &impl Read, room: RoomNum, join: EventNum, members: bool) -> Result<Admitted> {
        let row = self.row(read, room, join).await?;
        let nums = match members {
            true => self.state_nums(read, room, row.meta.before, None).await?,
            false => self.without_members(read, room, &row).await?,
        };
        let mut starts = nums.clone();
        starts.push(join);
        let mut chain = self.auth_chain(read, room, &starts).await?;
        if !members {
            // What is in the state is not said again.
            let said: HashSet<_> = nums.iter().copied().collect();
            chain.retain(|num| !said.contains(num));
        }
        let mut state = Vec::with_capacity(nums.len());
        for (_, row) in self.rows(read, room, nums).await? {
            state.push(row.event.json());
        }
        let mut auth_chain = Vec::with_capacity(chain.len());
        for (_, row) in self.rows(read, room, chain).await? {
            auth_chain.push(row.event.json());
        }
        Ok(Admitted { state, auth_chain, servers: self.servers_in(read, room).await? })
    }

    /// The state before a join without its members, but with those that a room without a name is called by.
    /// Server-server API, `PUT /send_join`: `omit_members`.
    async fn without_members(&self, read: &impl Read, room: RoomNum, join: &EventRow) -> Result<Vec<EventNum>> {
        let root = join.meta.before;
        let members = keys::of_type(read, room, "m.room.member").await?.unwrap_or(0..0);
        let trees = self.trees(room);
        let mut entries = trees.entries(read, root, 0..members.start).await?;
        entries.extend(trees.entries(read, root, members.end..StateKey::MAX).await?);
        let mut nums: Vec<_> = entries.into_iter().map(|(_, event)| EventNum(event)).collect();
        for kind in ["m.room.name", "m.room.canonical_alias"] {
            if self.state_num(read, room, root, kind, "").await?.is_some() {
                return Ok(nums);
            }
        }
        let whole = nums.len() + HEROES;
        for membership in [Membership::Join, Membership::Invite] {
            let range = MEMBERS.under(&(room, membership.code()));
            let some = read.scan(&MEMBERS, range).by(HEROES + 1).first(HEROES + 1).await?;
            let others = some.into_iter().filter(|((.., user), _)| user.as_str() != join.event.sender());
            nums.extend(others.map(|(_, num)| num));
        }
        nums.truncate(whole);
        Ok(nums)
    }
}
