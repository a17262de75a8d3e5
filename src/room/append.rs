//! The one function that adds to a timeline.

use std::sync::Arc;

use event::{Pdu, StoredEvent};
use kv::{Slot, Topic, Tx};

use crate::{
    Appended, EventMeta, EventRow, Result, RoomInfo, Rooms, Tip,
    lookup::rules,
    num::{EventNum, Place, RoomNum},
    row::{Extremity, Placement, Transaction, Verdict},
    state::{Root, keys},
    tables::{EVENT_IDS, EVENTS, EventRef, FORKED, ROOM_STREAM, STREAM, TIMELINE, TIPS},
};

/// Where an authorized event comes down, and what the room is like with it.
#[derive(Debug)]
pub(crate) struct Landing {
    /// Its number: a new one, or the one that it has as an outlier.
    pub num: EventNum,
    /// Its place in the timeline.
    pub place: Place,
    /// The state before it.
    pub before: Root,
    /// The state after it.
    pub after: Root,
    /// For state events: the event that had this state key before.
    pub replaces: Option<EventNum>,
    /// The room's state with it: differs from `after` if the room has more than one extremity.
    pub state: Root,
    /// What the next event follows.
    pub extremities: Vec<Extremity>,
    /// The transaction of a local sender.
    pub transaction: Option<Transaction>,
}

impl Rooms {
    /// Adds an authorized event of this server, which follows all extremities, at the end of the room.
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
        let place = tip.place.next();
        let landing = Landing {
            num,
            place,
            before: tip.state,
            after,
            replaces,
            state: after,
            extremities: followed(tip, pdu, num),
            transaction,
        };
        self.land(tx, room, info, tip, pdu, landing).await
    }

    /// Adds an authorized event to the timeline: the event, the room's state and extremities, the stream,
    /// memberships and everything that projections derive. `tip` moves on.
    pub(crate) async fn land(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        tip: &mut Tip,
        pdu: &Arc<Pdu>,
        landing: Landing,
    ) -> Result<EventNum> {
        let Landing { num, place, before, after, replaces, state, extremities, transaction } = landing;
        let meta = EventMeta {
            place: Some(place),
            placement: Placement::Full,
            verdict: Verdict::Accepted,
            before,
            replaces,
            redacted_by: None,
            transaction,
        };
        let old = std::mem::replace(&mut tip.state, state);
        tip.next_event = tip.next_event.max(num.0 + 1);
        tip.place = place;
        tip.extremities = extremities;

        let slot = tx.stamp();
        self.write_event(tx, room, info, pdu, num, &meta).await?;
        if old != before {
            tx.put(&FORKED, (room, num), &old);
        }
        publish(tx, room, num, slot);
        self.settle(tx, room, num).await?;
        let members = if (old, state) == (before, after) {
            self.record_own(tx, room, tip, pdu, num, slot).await?
        } else {
            self.record_differences(tx, room, tip, old, slot).await?
        };
        let appended = Appended { room, info, num, pdu, place, slot, meta: &meta, members: &members };
        for projection in self.projections.iter() {
            projection.apply(self, tx, tip, &appended).await?;
        }
        tx.put(&TIPS, room, tip);
        Ok(num)
    }

    /// The event that a state event replaces, and the state with it.
    pub(crate) async fn step_state(
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

    /// Writes an event with what is known of it, its place if it has one, and what allows it.
    pub(crate) async fn write_event(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        pdu: &Pdu,
        num: EventNum,
        meta: &EventMeta,
    ) -> Result<()> {
        let event = StoredEvent::from_pdu(pdu, &rules(&info.version)?)
            .map_err(|error| kv::Error::corrupt(EVENTS.name(), error))?;
        tx.put(&EVENT_IDS, &pdu.event_id, &EventRef { room, num });
        tx.put(&EVENTS, (room, num), &EventRow { meta: meta.clone(), event });
        if let Some(place) = meta.place {
            tx.put(&TIMELINE, (room, place), &num);
        }
        self.index(tx, room, num, pdu).await
    }
}

/// The extremities of a room once `pdu` follows some of them.
pub(crate) fn followed(tip: &Tip, pdu: &Pdu, num: EventNum) -> Vec<Extremity> {
    let open = tip.extremities.iter().filter(|extremity| !pdu.prev_events.contains(&extremity.id));
    let own = Extremity { num, id: pdu.event_id.clone(), depth: pdu.depth };
    open.cloned().chain([own]).collect()
}

/// Puts an event into the stream.
fn publish(tx: &mut Tx, room: RoomNum, num: EventNum, slot: Slot) {
    tx.put(&STREAM, slot, &EventRef { room, num });
    tx.put(&ROOM_STREAM, (room, slot), &num);
    tx.announce(Topic::Room(room.0), slot);
}
