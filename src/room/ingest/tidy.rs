//! Keeping the ends of a room's event graph few: every event names them, and resolution works on each.

use event::Draft;
use kv::Read;
use ruma::{RoomId, UserId};
use serde_json::value::RawValue;

use crate::{Membership, Outgoing, Result, RoomError, Rooms, num::RoomNum, tables::MEMBERS};

/// An event that says nothing: it follows others so that they are no ends any more. Not shown to clients.
pub(crate) const DUMMY: &str = "org.matrix.dummy_event";
/// Ends of a room that are too many.
const MANY: usize = 10;
/// Members who are tried as senders.
const MAX_SENDERS: usize = 20;

impl Rooms {
    /// Has a local member follow the ends of a room with one event if there are too many of them and somebody may.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn tie_ends(&self, room_id: &RoomId) -> Result<()> {
        let view = self.db.view();
        let room = self.num(&view, room_id).await?;
        if self.tip(&view, room).await?.extremities.len() < MANY {
            return Ok(());
        }
        let Ok(nothing) = RawValue::from_string("{}".to_owned()) else { return Ok(()) };
        for sender in self.local_members(&view, room).await? {
            let draft = Draft::message(DUMMY.into(), nothing.clone());
            match self.send(room_id, &Outgoing::new(&sender, draft)).await {
                Err(RoomError::Denied(_)) => {}
                other => return other.map(drop),
            }
        }
        Ok(())
    }

    async fn local_members(&self, read: &impl Read, room: RoomNum) -> Result<Vec<ruma::OwnedUserId>> {
        let mut local = Vec::new();
        let mut members = read.scan(&MEMBERS, MEMBERS.under(&(room, Membership::Join.code())));
        while let Some(((_, _, user), _)) = members.next().await? {
            if UserId::server_name(&user) == self.server() {
                local.push(user);
            }
            if local.len() == MAX_SENDERS {
                break;
            }
        }
        Ok(local)
    }
}
