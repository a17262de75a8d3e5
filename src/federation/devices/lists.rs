//! Whether what is kept of a user of another server may be answered with.

use std::collections::HashMap;

use kv::{Read, Stamp};
use room::{Membership, RoomNum};
use ruma::UserId;

use super::{
    RemoteDevices, Result,
    tables::{LISTS, ListRow, STALE},
};

/// The rooms that somebody is in, and since when.
pub(super) type Joined = HashMap<RoomNum, Stamp>;

/// What is known of a user of another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Their list is kept and complete.
    Kept,
    /// It is not kept, or may miss something, and can be kept after it is fetched.
    Fetch {
        /// Whether there is an old one.
        old: bool,
    },
    /// No room is shared: their server tells nothing, so what is fetched is not kept.
    Stranger,
}

impl RemoteDevices {
    /// The rooms that `user` is in, and since when.
    pub(super) async fn joined(&self, read: &impl Read, user: &UserId) -> Result<Joined> {
        let rooms = self.rooms.user_rooms(read, user).await?.into_iter();
        Ok(rooms
            .filter(|(_, row)| row.value.membership == Membership::Join)
            .map(|(room, row)| (room, row.at))
            .collect())
    }

    /// How a user of another server stands to somebody here who is in the rooms `own`.
    pub(super) async fn standing(&self, read: &impl Read, own: &Joined, user: &UserId) -> Result<Standing> {
        let theirs = self.joined(read, user).await?;
        if !theirs.keys().any(|room| own.contains_key(room)) {
            return Ok(Standing::Stranger);
        }
        let Some(list) = read.get(&LISTS, user).await? else { return Ok(Standing::Fetch { old: false }) };
        if read.has(&STALE, user).await? || !is_followed(&list, own, &theirs) {
            return Ok(Standing::Fetch { old: true });
        }
        Ok(Standing::Kept)
    }

    /// Whether a user of another server is in a room with somebody here.
    pub(super) async fn is_met(&self, read: &impl Read, user: &UserId) -> Result<bool> {
        for room in self.joined(read, user).await?.into_keys() {
            if self.rooms.server_is_in(read, room, &self.own).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether both were in a common room when the list began to be kept and are since: their server told us all.
fn is_followed(list: &ListRow, own: &Joined, theirs: &Joined) -> bool {
    let since = |at: &Stamp| list.since.covers(*at);
    theirs.iter().any(|(room, at)| since(at) && own.get(room).is_some_and(since))
}
