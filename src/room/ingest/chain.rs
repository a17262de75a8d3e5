//! Walking along `auth_events`.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use event::Pdu;
use kv::Read;
use ruma::OwnedEventId;

use crate::{
    Result, Rooms,
    num::{EventNum, RoomNum},
    state::Root,
};

impl Rooms {
    /// These events, their auth events, and so on, parsed. What is not here is left out: resolution says so if it
    /// matters.
    pub(super) async fn auth_closure(
        &self,
        read: &impl Read,
        room: RoomNum,
        starts: Vec<OwnedEventId>,
    ) -> Result<HashMap<OwnedEventId, Arc<Pdu>>> {
        let mut found = HashMap::new();
        let mut open = starts;
        while let Some(id) = open.pop() {
            if found.contains_key(&id) {
                continue;
            }
            let Some(at) = self.locate(read, &id).await?.filter(|at| at.room == room) else { continue };
            let pdu = self.pdu(read, room, at.num).await?;
            open.extend(pdu.auth_events.iter().cloned());
            found.insert(id, pdu);
        }
        Ok(found)
    }

    /// The auth chain of a whole state, its own events included.
    pub(super) async fn chain_of_state(
        &self,
        read: &impl Read,
        room: RoomNum,
        root: Root,
    ) -> Result<HashSet<EventNum>> {
        let mut seen = HashSet::new();
        let mut open = self.state_nums(read, room, root, None).await?;
        while let Some(num) = open.pop() {
            if !seen.insert(num) {
                continue;
            }
            for id in &self.pdu(read, room, num).await?.auth_events {
                if let Some(at) = self.locate(read, id).await?.filter(|at| at.room == room && !seen.contains(&at.num)) {
                    open.push(at.num);
                }
            }
        }
        Ok(seen)
    }
}
