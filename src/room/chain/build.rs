//! The index of rooms that are older than it.

use kv::Read;

use crate::{
    Result, RoomError, Rooms,
    lookup::rules,
    num::{EventNum, RoomNum},
    tables::{AUTH, AUTH_READY, EVENTS, ROOMS, TIPS},
};

/// Says of all rooms that they have their index.
const ALL: RoomNum = RoomNum(0);
/// Events that one transaction takes care of.
const BATCH: usize = 256;

impl Rooms {
    /// Builds the index of auth chains of the rooms that have none, in small transactions. What is read meanwhile is
    /// right, though slow. Goes on where it was stopped.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn index_old_rooms(&self) -> Result<()> {
        let view = self.db.view();
        if view.peek(&AUTH_READY, ALL).await?.is_some() {
            return Ok(());
        }
        let mut rooms = view.scan(&ROOMS, ROOMS.all());
        while let Some((room, info)) = rooms.next().await? {
            if view.peek(&AUTH_READY, room).await?.is_none() {
                self.index_room(room).await?;
                tracing::info!(room = %info.id, "built the room's index of auth chains");
            }
        }
        let mut tx = self.db.begin();
        tx.put(&AUTH_READY, ALL, &());
        Ok(tx.commit().await?)
    }

    pub(super) async fn index_room(&self, room: RoomNum) -> Result<()> {
        let mut next = Some(EventNum(1));
        while let Some(from) = next {
            next = kv::retry(|| async {
                let mut tx = self.db.begin();
                // Whoever adds an event meanwhile makes the last batch run again.
                if tx.get(&TIPS, room).await?.is_none() {
                    return Ok::<_, RoomError>(None);
                }
                let info = self.info(&tx, room).await?;
                let rules = rules(&info.version)?;
                let events = tx.scan(&EVENTS, EVENTS.from(&(room,), &(room, from))).by(BATCH).first(BATCH).await?;
                for ((_, num), row) in events.iter().filter(|(_, row)| row.event.state_key().is_some()) {
                    if tx.get(&AUTH, (room, *num)).await?.is_none() {
                        let pdu = row.event.to_pdu(&rules)?;
                        self.index_event(&mut tx, room, *num, &pdu).await?;
                    }
                }
                let last = events.last().map(|((_, num), _)| *num);
                if last.is_none() {
                    self.index_late(&mut tx, room).await?;
                    self.begin_index(&mut tx, room);
                }
                tx.commit().await?;
                Ok::<_, RoomError>(last.map(|last| EventNum(last.0 + 1)))
            })
            .await?;
        }
        Ok(())
    }
}
