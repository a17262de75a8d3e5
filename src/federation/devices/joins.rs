//! Telling the servers of a room that a user of ours has joined, as far as they shared none with that user before.
//! Server-server API, "Device Management".
//!
//! Those that keep a list from earlier times have heard of no change since, and fetch it anew now; those that keep none
//! ask once somebody there needs the keys, told or not. So that a large room causes no storm, of its servers only the
//! first [`MAX_SERVERS`] are looked at, and of a user only the first [`MAX_TOLD`] devices named: one is enough for a
//! server to ask for all.

use futures::future::{BoxFuture, FutureExt};
use kv::{Read, Tx, View};
use room::{Appended, Membership, Projection, RoomNum, Rooms, Tip, tables::ROOM_SERVERS};
use ruma::{OwnedServerName, UserId};
use serde_json::Value;

use super::{
    RemoteDevices, Result,
    announce::{FIRST, Told, device_edu},
    tables::{JOINED, STREAMS},
};

/// Servers that are told because of one join.
const MAX_SERVERS: usize = 100;
/// Devices that a server is told of because of one join.
const MAX_TOLD: usize = 10;
/// Joins that are read at once.
const AT_ONCE: usize = 100;

/// Remembers joins of our users, in the transaction of the join.
#[derive(Debug, Clone)]
pub struct JoinsProjection {
    own: OwnedServerName,
}

impl JoinsProjection {
    /// Of users of the server `own`.
    pub fn new(own: OwnedServerName) -> Self {
        Self { own }
    }
}

impl Projection for JoinsProjection {
    fn apply<'a>(
        &'a self,
        _: &'a Rooms,
        tx: &'a mut Tx,
        _: &'a Tip,
        event: &'a Appended<'a>,
    ) -> BoxFuture<'a, kv::Result<()>> {
        for step in event.members {
            let joins = step.now == Membership::Join && step.previous != Membership::Join;
            if joins && step.user.server_name() == self.own {
                tx.put(&JOINED, (&step.user, event.room), &());
            }
        }
        futures::future::ready(Ok(())).boxed()
    }
}

impl RemoteDevices {
    /// Tells servers that our users share a room with since they joined it; of how many joins.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn introduce(&self) -> Result<usize> {
        let mut joins = 0;
        loop {
            let view = self.db.view();
            let rows = view.scan(&JOINED, JOINED.all()).first(AT_ONCE).await?;
            if rows.is_empty() {
                return Ok(joins);
            }
            for ((user, room), ()) in rows {
                self.introduce_to(&view, &user, room).await?;
                joins += 1;
            }
        }
    }

    async fn introduce_to(&self, view: &View, user: &UserId, room: RoomNum) -> Result<()> {
        let servers = self.strangers(view, user, room).await?;
        let edus = if servers.is_empty() { Vec::new() } else { self.introduction(view, user).await? };
        kv::retry(|| async {
            // Where nobody is told, nothing is lost with it: it is found again.
            let mut tx = if servers.is_empty() { self.db.begin().relaxed() } else { self.db.begin() };
            if tx.get(&JOINED, (user, room)).await?.is_none() {
                return Ok(());
            }
            tx.delete(&JOINED, (user, room));
            for server in &servers {
                self.put_each(&mut tx, user, server, &edus);
            }
            tx.commit().await
        })
        .await?;
        servers.iter().for_each(|server| self.queue.wake_edus(server));
        Ok(())
    }

    /// The servers in `room` that are in no other room with `user`, who has joined it.
    async fn strangers(&self, view: &View, user: &UserId, room: RoomNum) -> Result<Vec<OwnedServerName>> {
        let rooms = self.rooms.joined_rooms(view, user).await?;
        if !rooms.contains(&room) {
            return Ok(Vec::new());
        }
        let rows = view.scan(&ROOM_SERVERS, ROOM_SERVERS.under(&(room,))).first(MAX_SERVERS + 1).await?;
        let mut strangers: Vec<_> = rows.into_iter().map(|((_, server), _)| server).collect();
        strangers.retain(|server| *server != self.own);
        strangers.truncate(MAX_SERVERS);
        for other in rooms.into_iter().filter(|other| *other != room) {
            let mut left = Vec::new();
            for server in strangers {
                if !self.rooms.server_is_in(view, other, &server).await? {
                    left.push(server);
                }
            }
            strangers = left;
            if strangers.is_empty() {
                break;
            }
        }
        Ok(strangers)
    }

    /// The devices of `user` as changes that follow themselves: who knows that number has missed nothing, and who does
    /// not asks for all.
    async fn introduction(&self, view: &View, user: &UserId) -> Result<Vec<Value>> {
        let stream = view.get(&STREAMS, user).await?.unwrap_or(FIRST);
        let (devices, _) = self.told_of(view, user).await?;
        let told = devices.into_iter().take(MAX_TOLD);
        Ok(told.map(|(id, device)| device_edu(user, &id, (stream, vec![stream]), &Told::Is(&device))).collect())
    }
}
