//! Which servers are in a room, kept with the memberships so that nobody has to walk them.

use kv::{Read, Slot, Tx};
use ruma::{OwnedServerName, ServerName, UserId};

use crate::{
    Membership, Result, Rooms,
    num::{EventNum, RoomNum},
    tables::{RELAYS, ROOM_SERVERS, SERVER_LOG, SERVER_ROOMS},
};

/// Counts a membership change of `user` for their server, in the transaction that makes it. A server that comes
/// with its first member or goes with its last one is logged at `slot`, for the followers of the stream.
pub(crate) async fn record_server(
    tx: &mut Tx,
    room: RoomNum,
    user: &UserId,
    from: Membership,
    to: Membership,
    slot: Slot,
) -> kv::Result<()> {
    let (was, is) = (from == Membership::Join, to == Membership::Join);
    if was == is {
        return Ok(());
    }
    let server = user.server_name();
    let before = tx.get(&ROOM_SERVERS, (room, server)).await?.unwrap_or(0);
    let after = if is { before + 1 } else { before.saturating_sub(1) };
    if after == 0 {
        tx.delete(&ROOM_SERVERS, (room, server));
        tx.delete(&SERVER_ROOMS, (server, room));
    } else {
        tx.put(&ROOM_SERVERS, (room, server), &after);
    }
    if before == 0 && after > 0 {
        tx.put(&SERVER_ROOMS, (server, room), &());
    }
    if (before == 0) != (after == 0) {
        tx.put(&SERVER_LOG, (slot, room, server), &is);
    }
    Ok(())
}

impl Rooms {
    /// The servers with joined members in a room, this one included, by name.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn servers_in(&self, read: &impl Read, room: RoomNum) -> Result<Vec<OwnedServerName>> {
        let rows = read.scan(&ROOM_SERVERS, ROOM_SERVERS.under(&(room,))).collect().await?;
        Ok(rows.into_iter().map(|((_, server), _)| server).collect())
    }

    /// Whether a server has joined members in a room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn server_is_in(&self, read: &impl Read, room: RoomNum, server: &ServerName) -> Result<bool> {
        Ok(read.peek(&ROOM_SERVERS, (room, server)).await?.is_some())
    }

    /// The rooms in which a server has joined members.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn rooms_of_server(&self, read: &impl Read, server: &ServerName) -> Result<Vec<RoomNum>> {
        let rows = read.scan(&SERVER_ROOMS, SERVER_ROOMS.under(&(server,))).collect().await?;
        Ok(rows.into_iter().map(|((_, room), ())| room).collect())
    }

    /// Whether this server and `server` have members in a common room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn shares_a_room_with(&self, read: &impl Read, server: &ServerName) -> Result<bool> {
        let mut rooms = read.scan(&SERVER_ROOMS, SERVER_ROOMS.under(&(server,))).by(16);
        while let Some(((_, room), ())) = rooms.next().await? {
            if self.server_is_in(read, room, self.server()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every server with joined members in some room, by name from `from` on (included), at most `limit`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn known_servers(
        &self,
        read: &impl Read,
        from: Option<&ServerName>,
        limit: usize,
    ) -> Result<Vec<OwnedServerName>> {
        let mut range = match from {
            Some(from) => SERVER_ROOMS.from(&(), &(from, RoomNum(0))),
            None => SERVER_ROOMS.all(),
        };
        let mut servers = Vec::new();
        while servers.len() < limit {
            let first = read.scan(&SERVER_ROOMS, range.clone()).first(1).await?;
            let Some(((server, _), ())) = first.into_iter().next() else { break };
            // On to the next server, past all other rooms of this one.
            range.start = SERVER_ROOMS.under(&(&server,)).end;
            servers.push(server);
        }
        Ok(servers)
    }

    /// Has the federation queue send an event of another server to the servers in the room, except to `origin`
    /// and its own server, as if it were one of ours: a join, leave or knock that `origin` made through this server.
    /// Call it in the transaction that appends the event.
    pub fn relay(&self, tx: &mut Tx, room: RoomNum, event: EventNum, origin: &ServerName) {
        tx.put(&RELAYS, (room, event), &origin.to_string());
    }
}
