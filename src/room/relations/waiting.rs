//! Events that came before the one that they refer to.

use kv::{Read, Tx};
use ruma::EventId;

use super::Waits;
use crate::{
    EventRow, Result, Rooms,
    num::{EventNum, RoomNum},
    tables::{EVENTS, WAITING},
};

impl Rooms {
    /// Indexes a new event, lets it redact what it redacts, and gives it what waited for it.
    pub(crate) async fn settle(&self, tx: &mut Tx, room: RoomNum, num: EventNum) -> Result<()> {
        let Some(row) = tx.peek(&EVENTS, (room, num)).await? else { return Ok(()) };
        self.index_relation(tx, room, num, &row).await?;
        if row.event.kind() == "m.room.redaction" {
            self.settle_redaction(tx, room, num, &row).await?;
        }
        let Ok(id) = <&EventId>::try_from(row.event.event_id()) else { return Ok(()) };
        // Appends of a room conflict on its tip, so nothing joins this list meanwhile.
        let waiting = tx.scan(&WAITING, WAITING.under(&(room, id))).by(16).collect().await?;
        for ((_, _, waiter), why) in waiting {
            tx.delete(&WAITING, (room, id, waiter));
            self.settle_waiter(tx, room, num, waiter, why).await?;
        }
        Ok(())
    }

    async fn settle_waiter(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        num: EventNum,
        waiter: EventNum,
        why: Waits,
    ) -> Result<()> {
        let Some(row): Option<EventRow> = tx.peek(&EVENTS, (room, waiter)).await? else { return Ok(()) };
        match why {
            Waits::Relation => self.link(tx, room, num, waiter, &row).await,
            Waits::Redaction => self.redact_if_allowed(tx, room, waiter, &row, num).await,
        }
    }
}
