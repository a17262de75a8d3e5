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
    state::Root,
    tables::{MEMBERS, ROOM_SERVERS},
};

/// As many members as name a room that has no name.
const HEROES: usize = 5;

/// A room as a server that comes in gets it, in federation format.
#[derive(Debug, Clone, Default)]
pub struct Admitted {
    /// The state before the join; without most members if they were to be left out.
    pub state: Vec<Bytes>,
    /// The auth chain of that state and of the join; without what is in the state if members were to be left out.
    pub auth_chain: Vec<Bytes>,
    /// Whether members were left out.
    pub members_omitted: bool,
    /// The servers that had joined members before.
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

    /// What a server is told whose user came in by the event `join`. With `omit_members` the members are left out, but
    /// for those who name a room without a name, and for what allows the rest.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`]. Server-server API, `PUT /send_join`.
    pub async fn admitted(
        &self,
        read: &impl Read,
        room: RoomNum,
        join: EventNum,
        omit_members: bool,
    ) -> Result<Admitted> {
        let row = self.row(read, room, join).await?;
        let mut nums = self.state_nums(read, room, row.meta.before, None).await?;
        if omit_members {
            let members: HashSet<_> =
                self.state_nums(read, room, row.meta.before, Some("m.room.member")).await?.into_iter().collect();
            nums.retain(|num| !members.contains(num));
            nums.extend(self.heroes(read, room, row.meta.before, row.event.sender()).await?);
        }
        let mut starts = nums.clone();
        starts.push(join);
        let mut chain = self.auth_chain(read, room, &starts).await?;
        if omit_members {
            let told: HashSet<_> = nums.iter().copied().collect();
            chain.retain(|num| !told.contains(num));
        }
        let json = |rows: Vec<(EventNum, EventRow)>| rows.into_iter().map(|(_, row)| row.event.json()).collect();
        let state = json(self.rows(read, room, nums).await?);
        let auth_chain = json(self.rows(read, room, chain).await?);
        let servers = self.servers_without(read, room, row.event.sender()).await?;
        Ok(Admitted { state, auth_chain, members_omitted: omit_members, servers })
    }

    /// The member events by which clients name a room in the state `root`, if it has no name; not that of `user`.
    async fn heroes(&self, read: &impl Read, room: RoomNum, root: Root, user: &str) -> Result<Vec<EventNum>> {
        for kind in ["m.room.name", "m.room.canonical_alias"] {
            if self.state_num(read, room, root, kind, "").await?.is_some() {
                return Ok(Vec::new());
            }
        }
        let mut heroes = Vec::new();
        for group in [&[Membership::Join, Membership::Invite][..], &[Membership::Leave, Membership::Ban]] {
            for membership in group {
                let range = MEMBERS.under(&(room, membership.code()));
                for ((_, _, member), _) in read.scan(&MEMBERS, range).by(HEROES + 1).first(HEROES + 1).await? {
                    if heroes.len() < HEROES && member.as_str() != user {
                        heroes.extend(self.state_num(read, room, root, "m.room.member", member.as_str()).await?);
                    }
                }
            }
            if !heroes.is_empty() {
                break;
            }
        }
        Ok(heroes)
    }

    /// The servers with joined members other than `user`.
    async fn servers_without(&self, read: &impl Read, room: RoomNum, user: &str) -> Result<Vec<OwnedServerName>> {
        let own = <&UserId>::try_from(user).ok().map(UserId::server_name);
        let rows = read.scan(&ROOM_SERVERS, ROOM_SERVERS.under(&(room,))).collect().await?;
        let others = rows.into_iter().filter(|((_, server), members)| *members > 1 || Some(&**server) != own);
        Ok(others.map(|((_, server), _)| server).collect())
    }
}
