//! Well-signed events of hostile servers: any type, content, place and authorization. Whatever comes, the room goes
//! on.
#![no_main]

mod common;

use std::sync::Arc;

use common::events::{PART, Scene, event, wish};
use event::Pdu;
use libfuzzer_sys::fuzz_target;
use room::{Ingested, RoomError, RoomNum, Rooms, StatesBefore};
use ruma::{OwnedEventId, RoomId, RoomVersionId};

/// A room and what it was sent.
struct Stage<'a> {
    rooms: &'a Rooms,
    id: &'a RoomId,
    num: RoomNum,
    rules: event::RoomVersionRules,
    known: Vec<OwnedEventId>,
}

impl Stage<'_> {
    /// An event, authorized by the current state if its bytes want that.
    async fn event(&self, part: &[u8]) -> Option<Arc<Pdu>> {
        let view = self.rooms.db().view();
        let tip = self.rooms.tip(&view, self.num).await.expect("a tip");
        let ends: Vec<_> = tip.extremities.iter().map(|end| end.id.clone()).collect();
        let (room, rules, known) = (self.id, &self.rules, &*self.known);
        let scene = Scene { room, rules, known, ends: &ends, depth: tip.next_depth() };
        let wish = wish(part, &scene)?;
        let mut selected = Vec::new();
        for (kind, key) in &wish.wanted {
            let found = self.rooms.state_event(&view, self.num, tip.state, &kind.to_string(), key).await;
            selected.extend(found.expect("the state can be read").map(|pdu| pdu.event_id.clone()));
        }
        event(part, &wish, selected, &scene).map(Arc::new)
    }

    /// Lets an event in one way or the other.
    async fn take(&self, part: &[u8], pdu: &Arc<Pdu>) {
        let some = |from: &[u8]| -> Vec<_> {
            from.iter().map(|byte| self.known[usize::from(*byte) % self.known.len()].clone()).collect()
        };
        let became = match part[0] >> 6 {
            2 => return self.rooms.ingest_outliers(self.id, std::slice::from_ref(pdu)).await.expect("an outlier"),
            3 if part[7] & 1 == 0 => {
                let states = StatesBefore::from([(pdu.event_id.clone(), some(&part[7..10]))]);
                let all = std::slice::from_ref(pdu);
                let rank = u64::from(part[8]);
                return match self.rooms.backfilled(self.id, rank, all, &states).await {
                    Ok(_) | Err(RoomError::InvalidState(_) | RoomError::UnknownEvent) => {}
                    Err(error) => panic!("{error:?}"),
                };
            }
            3 => self.rooms.ingest(self.id, pdu, Some(&some(&part[7..10]))).await,
            _ => self.rooms.ingest(self.id, pdu, None).await,
        };
        match became {
            Ok(Ingested::Accepted(num_of)) => {
                let row = self.rooms.row(&self.rooms.db().view(), self.num, num_of).await;
                assert!(row.expect("an accepted event is there").meta.is_shown());
            }
            // An event that its caller must have made known; states that no rule could have made.
            Ok(_) | Err(RoomError::UnknownEvent | RoomError::InvalidState(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn run(data: &[u8]) {
    let Some((version, rest)) = data.split_first() else { return };
    let versions = [RoomVersionId::V6, RoomVersionId::V8, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12];
    let version = versions[usize::from(*version) % versions.len()].clone();
    let Some(rules) = event::rules(&version) else { return };
    let db = common::database();
    let (rooms, id) = common::room(&db, version).await;
    let num = rooms.num(&db.view(), &id).await.expect("the room is there");
    let known = common::events_of(&rooms, num).await;
    let mut stage = Stage { rooms: &rooms, id: &id, num, rules, known };
    for part in rest.chunks_exact(PART).take(24) {
        let Some(pdu) = stage.event(part).await else { continue };
        // Ids of events that did not get in, or are never handed in, are good to refer to as well.
        stage.known.push(pdu.event_id.clone());
        stage.take(part, &pdu).await;
    }
    rooms.tie_ends(&id).await.expect("the ends can be tied");
    common::assert_sound(&rooms, &id, num).await;
}

fuzz_target!(|data: &[u8]| common::run(run(data)));
