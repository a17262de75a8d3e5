//! State before an event, and what allows it.

use bytes::Bytes;
use kv::Read;
use ruma::{EventId, OwnedEventId};

use crate::{
    EventRow, Result, RoomError, Rooms,
    num::{EventNum, RoomNum},
    row::{Placement, Verdict},
};

/// A state and its authorization chain, as ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateIds {
    /// The state events.
    pub state: Vec<OwnedEventId>,
    /// What allows them.
    pub auth_chain: Vec<OwnedEventId>,
}

/// A state and its authorization chain, in federation format.
#[derive(Debug, Clone, Default)]
pub struct StateAt {
    /// The state events.
    pub state: Vec<Bytes>,
    /// What allows them.
    pub auth_chain: Vec<Bytes>,
}

type Row = (EventNum, EventRow);

impl Rooms {
    /// The ids of the state before an event, and of all that allows it.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`] when this server does not know the event or the state before it.
    pub async fn state_ids_before(&self, read: &impl Read, room: RoomNum, event: &EventId) -> Result<StateIds> {
        let (state, chain) = self.state_rows_before(read, room, event).await?;
        Ok(StateIds { state: ids(&state), auth_chain: ids(&chain) })
    }

    /// The state before an event, and all that allows it.
    ///
    /// # Errors
    /// As [`Rooms::state_ids_before`].
    pub async fn full_state_before(&self, read: &impl Read, room: RoomNum, event: &EventId) -> Result<StateAt> {
        let (state, chain) = self.state_rows_before(read, room, event).await?;
        Ok(StateAt { state: json(&state), auth_chain: json(&chain) })
    }

    /// The authorization chain of an event, in federation format.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`].
    pub async fn auth_chain_of(&self, read: &impl Read, room: RoomNum, event: &EventId) -> Result<Vec<Bytes>> {
        let num = self.event_num(read, room, event).await?;
        let chain = self.auth_chain(read, room, &[num]).await?;
        Ok(json(&self.unrejected(read, room, chain).await?))
    }

    async fn state_rows_before(
        &self,
        read: &impl Read,
        room: RoomNum,
        event: &EventId,
    ) -> Result<(Vec<Row>, Vec<Row>)> {
        let num = self.event_num(read, room, event).await?;
        let row = self.row(read, room, num).await?;
        if row.meta.placement != Placement::Full {
            return Err(RoomError::UnknownEvent);
        }
        let nums = self.state_nums(read, room, row.meta.before, None).await?;
        let chain = self.auth_chain(read, room, &nums).await?;
        Ok((self.unrejected(read, room, nums).await?, self.unrejected(read, room, chain).await?))
    }

    /// The events that were not rejected.
    async fn unrejected(&self, read: &impl Read, room: RoomNum, nums: Vec<EventNum>) -> Result<Vec<Row>> {
        let mut rows = self.rows(read, room, nums).await?;
        rows.retain(|(_, row)| matches!(row.meta.verdict, Verdict::Accepted | Verdict::SoftFailed));
        Ok(rows)
    }
}

fn ids(rows: &[Row]) -> Vec<OwnedEventId> {
    rows.iter().filter_map(|(_, row)| EventId::parse(row.event.event_id()).ok()).collect()
}

fn json(rows: &[Row]) -> Vec<Bytes> {
    rows.iter().map(|(_, row)| row.event.json()).collect()
}
