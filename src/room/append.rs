//! The one function that adds to a timeline.

use std::sync::Arc;

use event::{Pdu, StoredEvent};
use kv::{Slot, Topic, Tx};

use crate::{
    Appended, EventMeta, EventRow, Result, RoomInfo, Rooms, Tip,
    lookup::rules,
    membership::record_membership,
    num::{EventNum, RoomNum},
    row::{Extremity, Placement, Transaction, Verdict},
    state::{Root, keys},
    tables::{EVENT_IDS, EVENTS, EventRef, ROOM_STREAM, STREAM, TIMELINE, TIPS},
};

impl Rooms {
    /// Adds an authorized event at the end of the room: the event, the state with it, the extremities, the
    /// timeline, the stream, memberships and everything that projections derive. `tip` moves on.
    pub(crate) async fn append(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        tip: &mut Tip,
        pdu: &Arc<Pdu>,
        transaction: Option<Transaction>,
    ) -> Result<EventNum> {
        let num = EventNum(tip.next_event);
        let (replaces, after) = self.step_state(tx, room, tip.state, pdu, num).await?;
        let meta = EventMeta {
            place: Some(tip.place.next()),
            placement: Placement::Full,
            verdict: Verdict::Accepted,
            before: tip.state,
            replaces,
            redacted_by: None,
            transaction,
        };
        move_tip(tip, pdu, num, after);

        let slot = tx.stamp();
        write_event(tx, room, info, pdu, num, &meta, slot)?;
        self.settle(tx, room, num).await?;
        let previous = record_membership(tx, room, tip, pdu, num, slot).await?;
        let appended = Appended { room, info, num, pdu, place: tip.place, slot, meta: &meta, previous };
        for projection in self.projections.iter() {
            projection.apply(self, tx, tip, &appended).await?;
        }
        tx.put(&TIPS, room, tip);
        Ok(num)
    }

    /// The event that a state event replaces, and the state with it.
    async fn step_state(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        before: Root,
        pdu: &Pdu,
        num: EventNum,
    ) -> Result<(Option<EventNum>, Root)> {
        let Some(state_key) = &pdu.state_key else { return Ok((None, before)) };
        let key = keys::intern(tx, room, &pdu.kind.to_string(), state_key).await?;
        let trees = self.trees(room);
        let replaces = trees.get(tx, before, key).await?.map(EventNum);
        let after = trees.insert(tx, before, key, num.0).await?;
        Ok((replaces, after))
    }
}

fn move_tip(tip: &mut Tip, pdu: &Pdu, num: EventNum, after: Root) {
    tip.next_event += 1;
    tip.place = tip.place.next();
    tip.state = after;
    tip.extremities.retain(|extremity| !pdu.prev_events.contains(&extremity.id));
    tip.extremities.push(Extremity { num, id: pdu.event_id.clone(), depth: pdu.depth });
}

fn write_event(
    tx: &mut Tx,
    room: RoomNum,
    info: &RoomInfo,
    pdu: &Pdu,
    num: EventNum,
    meta: &EventMeta,
    slot: Slot,
) -> Result<()> {
    let event =
        StoredEvent::from_pdu(pdu, &rules(&info.version)?).map_err(|error| kv::Error::corrupt(EVENTS.name(), error))?;
    tx.put(&EVENT_IDS, &pdu.event_id, &EventRef { room, num });
    tx.put(&EVENTS, (room, num), &EventRow { meta: meta.clone(), event });
    if let Some(place) = meta.place {
        tx.put(&TIMELINE, (room, place), &num);
    }
    tx.put(&STREAM, slot, &EventRef { room, num });
    tx.put(&ROOM_STREAM, (room, slot), &num);
    tx.announce(Topic::Room(room.0), slot);
    Ok(())
}
