//! Events that are known by themselves: auth chains, and states that another server told of.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use event::Pdu;
use kv::Tx;
use ruma::{OwnedEventId, RoomId, events::TimelineEventType};

use crate::{
    EventMeta, Result, RoomError, RoomInfo, Rooms, Tip,
    lookup::rules,
    num::{EventNum, RoomNum},
    row::{Placement, Verdict},
    state::Root,
    tables::TIPS,
};

impl Rooms {
    /// Stores events without a place, each checked against its auth events. Those whose auth events are neither here
    /// nor among them are left out. In one transaction.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`]; when storage fails.
    pub async fn ingest_outliers(&self, room_id: &RoomId, pdus: &[Arc<Pdu>]) -> Result<()> {
        let room = self.num(&self.db.view(), room_id).await?;
        let ordered = by_auth(pdus);
        let turn = self.turns.of(room).await;
        let pending = kv::retry(|| async {
            let mut tx = self.db.begin();
            let info = self.info(&tx, room).await?;
            let mut tip = self.tip(&tx, room).await?;
            for pdu in &ordered {
                self.put_outlier(&mut tx, room, &info, &mut tip, pdu).await?;
            }
            self.index_late(&mut tx, room).await?;
            tx.put(&TIPS, room, &tip);
            Ok::<_, RoomError>(tx.submit().await?)
        })
        .await?;
        drop(turn);
        pending.durable().await?;
        Ok(())
    }

    /// Stores one outlier; answers its number unless it was left out.
    pub(super) async fn put_outlier(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        tip: &mut Tip,
        pdu: &Arc<Pdu>,
    ) -> Result<Option<EventNum>> {
        if let Some(at) = self.locate(tx, &pdu.event_id).await? {
            return Ok(Some(at.num).filter(|_| at.room == room));
        }
        if self.is_other_create(tx, room, tip, pdu).await? {
            return Ok(None);
        }
        let rules = rules(&info.version)?;
        let (auth, missing) = self.auth_events(tx, room, pdu, &rules).await?;
        if !missing.is_empty() || pdu.room_id != info.id {
            return Ok(None);
        }
        let verdict = auth.check(pdu, &rules).map_or_else(Verdict::RejectedByAuth, |()| Verdict::Accepted);
        let num = EventNum(tip.next_event);
        tip.next_event += 1;
        self.write_outlier(tx, room, info, pdu, num, verdict).await?;
        Ok(Some(num))
    }

    /// Writes an event that has no place.
    pub(super) async fn write_outlier(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        pdu: &Pdu,
        num: EventNum,
        verdict: Verdict,
    ) -> Result<()> {
        let meta = EventMeta {
            place: None,
            placement: Placement::Outlier,
            verdict,
            before: Root::EMPTY,
            replaces: None,
            redacted_by: None,
            transaction: None,
        };
        if meta.verdict == Verdict::Accepted {
            return self.write_event(tx, room, info, pdu, num, &meta).await;
        }
        let mut pdu = pdu.clone();
        pdu.rejected = true;
        self.write_event(tx, room, info, &pdu, num, &meta).await
    }
}

/// Events in an order in which each comes after those that authorize it. What is part of a circle is left out.
pub(super) fn by_auth(pdus: &[Arc<Pdu>]) -> Vec<Arc<Pdu>> {
    // Since room version 12 events do not name the create event among their authorization.
    let mut starts = pdus.to_vec();
    starts.sort_by_key(|pdu| !pdu.is_state(&TimelineEventType::RoomCreate, ""));
    ordered(&starts, |pdu| &pdu.auth_events)
}

/// Events in an order in which each comes after those that it follows. What is part of a circle is left out.
pub(super) fn by_prev(pdus: &[Arc<Pdu>]) -> Vec<Arc<Pdu>> {
    ordered(pdus, |pdu| &pdu.prev_events)
}

fn ordered(pdus: &[Arc<Pdu>], below: impl Fn(&Pdu) -> &[OwnedEventId]) -> Vec<Arc<Pdu>> {
    let by_id: HashMap<&OwnedEventId, &Arc<Pdu>> = pdus.iter().map(|pdu| (&pdu.event_id, pdu)).collect();
    let (mut done, mut entered) = (HashSet::new(), HashSet::new());
    let mut order = Vec::with_capacity(pdus.len());
    for start in pdus {
        let mut open = vec![(start, false)];
        while let Some((pdu, children_done)) = open.pop() {
            if children_done {
                if done.insert(&pdu.event_id) {
                    order.push(pdu.clone());
                }
                continue;
            }
            if !entered.insert(&pdu.event_id) {
                continue;
            }
            open.push((pdu, true));
            open.extend(below(pdu).iter().filter_map(|id| by_id.get(id)).map(|pdu| (*pdu, false)));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pdu(id: &str, auth: &[&str]) -> Arc<Pdu> {
        let refs: Vec<String> = auth.iter().map(|id| format!("\"${id}\"")).collect();
        let json = format!(
            r#"{{"auth_events":[{0}],"content":{{"id":"{id}"}},"depth":1,"hashes":{{"sha256":"x"}},"origin_server_ts":1,"prev_events":[{0}],"room_id":"!r:a","sender":"@a:a","signatures":{{}},"type":"m.x"}}"#,
            refs.join(",")
        );
        let rules = event::rules(&ruma::RoomVersionId::V10).unwrap();
        let mut pdu = Pdu::parse(json.as_bytes(), &rules).unwrap();
        pdu.event_id = OwnedEventId::try_from(format!("${id}")).unwrap();
        Arc::new(pdu)
    }

    #[test]
    fn events_come_after_those_that_authorize_them() {
        let all = [pdu("d", &["b", "c"]), pdu("c", &["a"]), pdu("b", &["a"]), pdu("a", &["z"])];
        let order = by_auth(&all);
        let at = |id: &str| order.iter().position(|pdu| pdu.event_id == format!("${id}").as_str()).unwrap();
        assert_eq!(order.len(), 4);
        assert!(at("a") < at("b") && at("a") < at("c") && at("b") < at("d") && at("c") < at("d"));
    }

    #[test]
    fn the_create_event_comes_first_though_none_names_it() {
        let mut create = (*pdu("create", &[])).clone();
        create.kind = TimelineEventType::RoomCreate;
        create.state_key = Some(String::new());
        let order = by_auth(&[pdu("b", &["a"]), pdu("a", &[]), Arc::new(create)]);
        let ids: Vec<_> = order.iter().map(|pdu| pdu.event_id.as_str()).collect();
        assert_eq!(ids, ["$create", "$a", "$b"]);
    }
}
