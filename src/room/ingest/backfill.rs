//! History that another server gave: events before a gap in the timeline.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use event::{Pdu, RoomVersionRules};
use kv::{Read, Tx};
use ruma::{EventId, OwnedEventId, RoomId};

use super::outlier::by_prev;
use crate::{
    EventMeta, Result, RoomError, RoomInfo, Rooms, Tip,
    lookup::rules,
    num::{EventNum, Place, RoomNum},
    row::{Placement, Verdict},
    state::Root,
    tables::{GAPS, TIMELINE, TIPS},
};

/// The states before events whose previous events are not here, as another server told them.
pub type StatesBefore = HashMap<OwnedEventId, Vec<OwnedEventId>>;

/// An event that has its verdict.
struct Judged {
    pdu: Arc<Pdu>,
    num: EventNum,
    before: Root,
    replaces: Option<EventNum>,
    verdict: Verdict,
}

impl Rooms {
    /// Puts events that were fetched before the part of the timeline with the given rank. Events whose state cannot be
    /// told are left out. Answers how many are new in the timeline.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`]; when storage fails.
    pub async fn backfilled(
        &self,
        room_id: &RoomId,
        rank: u64,
        pdus: &[Arc<Pdu>],
        states: &StatesBefore,
    ) -> Result<usize> {
        let room = self.num(&self.db.view(), room_id).await?;
        let ordered = by_prev(pdus);
        let turn = self.turns.of(room).await;
        let (count, pending) = kv::retry(|| async {
            let mut tx = self.db.begin();
            let info = self.info(&tx, room).await?;
            let mut tip = self.tip(&tx, room).await?;
            let judged = self.judge_history(&mut tx, room, &info, &mut tip, &ordered, states).await?;
            let count = self.place_history(&mut tx, room, &info, rank, &judged).await?;
            self.narrow_gap(&mut tx, room, rank, &judged).await?;
            tx.put(&TIPS, room, &tip);
            Ok::<_, RoomError>((count, tx.submit().await?))
        })
        .await?;
        drop(turn);
        pending.durable().await?;
        Ok(count)
    }

    /// Those of fetched events whose previous events are neither here nor among them: the state before them is to be
    /// asked for.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn without_state(&self, room_id: &RoomId, pdus: &[Arc<Pdu>]) -> Result<Vec<Arc<Pdu>>> {
        let view = self.db.view();
        let room = self.num(&view, room_id).await?;
        let fetched: BTreeSet<_> = pdus.iter().map(|pdu| &pdu.event_id).collect();
        let mut found = Vec::new();
        for pdu in pdus {
            for id in pdu.prev_events.iter().filter(|id| !fetched.contains(id)) {
                if !self.has_state(&view, room, id).await? {
                    found.push(pdu.clone());
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Whether an event is here with the state before it.
    async fn has_state(&self, read: &impl Read, room: RoomNum, id: &EventId) -> Result<bool> {
        match self.locate(read, id).await? {
            Some(at) if at.room == room => Ok(self.row(read, room, at.num).await?.meta.placement != Placement::Outlier),
            _ => Ok(false),
        }
    }

    /// Judges events, oldest first, and stores them; the accepted ones get their places later.
    async fn judge_history(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        tip: &mut Tip,
        pdus: &[Arc<Pdu>],
        states: &StatesBefore,
    ) -> Result<Vec<Judged>> {
        let rules = rules(&info.version)?;
        let mut all = Vec::with_capacity(pdus.len());
        for pdu in pdus.iter().filter(|pdu| pdu.room_id == info.id) {
            let known = self.locate(tx, &pdu.event_id).await?;
            if let Some(at) = known
                && (at.room != room || self.row(tx, room, at.num).await?.meta.placement != Placement::Outlier)
            {
                continue;
            }
            if self.is_other_create(tx, room, tip, pdu).await? {
                continue;
            }
            let Some(before) = self.state_before(tx, room, &rules, pdu, states).await? else { continue };
            let Some(verdict) = self.verdict(tx, room, &rules, pdu, before).await? else { continue };
            let num = known.map_or(EventNum(tip.next_event), |at| at.num);
            tip.next_event = tip.next_event.max(num.0 + 1);
            let mut stored = (**pdu).clone();
            stored.rejected = verdict != Verdict::Accepted;
            let (replaces, _) = match verdict {
                Verdict::Accepted => self.step_state(tx, room, before, pdu, num).await?,
                _ => (None, before),
            };
            let judged = Judged { pdu: Arc::new(stored), num, before, replaces, verdict };
            self.write_history(tx, room, info, &judged, None).await?;
            all.push(judged);
        }
        Ok(all)
    }

    async fn state_before(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        rules: &RoomVersionRules,
        pdu: &Pdu,
        states: &StatesBefore,
    ) -> Result<Option<Root>> {
        let (mut around, missing) = self.around(tx, room, pdu).await?;
        if !missing.is_empty() {
            let Some(ids) = states.get(&pdu.event_id) else { return Ok(None) };
            match self.state_of(tx, room, ids).await {
                Ok(root) => around.states.push(root),
                Err(RoomError::UnknownEvent) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(self.resolve(tx, room, rules, &around.states).await?))
    }

    async fn verdict(
        &self,
        tx: &Tx,
        room: RoomNum,
        rules: &RoomVersionRules,
        pdu: &Pdu,
        before: Root,
    ) -> Result<Option<Verdict>> {
        let (auth, missing) = self.auth_events(tx, room, pdu, rules).await?;
        if !missing.is_empty() {
            return Ok(None);
        }
        if let Err(reason) = auth.check(pdu, rules) {
            return Ok(Some(Verdict::RejectedByAuth(reason)));
        }
        let check = self.check_against(tx, room, pdu, rules, before).await?;
        // A create event has no state before it.
        let is_create = pdu.kind == ruma::events::TimelineEventType::RoomCreate;
        Ok(Some(match check {
            Err(reason) if !is_create => Verdict::RejectedByState(reason),
            _ => Verdict::Accepted,
        }))
    }

    async fn write_history(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        judged: &Judged,
        place: Option<Place>,
    ) -> Result<()> {
        let meta = EventMeta {
            place,
            placement: Placement::Full,
            verdict: judged.verdict.clone(),
            before: judged.before,
            replaces: judged.replaces,
            redacted_by: None,
            transaction: None,
        };
        self.caches.forget_pdu(room, judged.num);
        self.write_event(tx, room, info, &judged.pdu, judged.num, &meta).await
    }

    /// Gives the accepted events places directly before the part of the timeline.
    async fn place_history(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        info: &RoomInfo,
        rank: u64,
        judged: &[Judged],
    ) -> Result<usize> {
        let first = tx.scan(&TIMELINE, TIMELINE.after(&(room,), &(room, Place { rank, ordinal: i64::MIN }))).by(1);
        let first = first.first(1).await?.first().map(|((_, place), _)| *place).filter(|place| place.rank == rank);
        let mut place = first.unwrap_or(Place { rank, ordinal: 0 });
        let accepted: Vec<_> = judged.iter().filter(|judged| judged.verdict == Verdict::Accepted).collect();
        for judged in accepted.iter().rev() {
            place = place.prev();
            self.write_history(tx, room, info, judged, Some(place)).await?;
        }
        for judged in &accepted {
            self.settle(tx, room, judged.num).await?;
        }
        Ok(accepted.len())
    }

    /// What is missing before that part of the timeline now.
    async fn narrow_gap(&self, tx: &mut Tx, room: RoomNum, rank: u64, judged: &[Judged]) -> Result<()> {
        let old = tx.get(&GAPS, (room, rank)).await?.map(|gap| gap.missing).unwrap_or_default();
        let candidates: BTreeSet<_> =
            old.into_iter().chain(judged.iter().flat_map(|judged| judged.pdu.prev_events.iter().cloned())).collect();
        let mut missing = Vec::new();
        for id in candidates {
            if !self.has_state(tx, room, &id).await? {
                missing.push(id);
            }
        }
        self.move_gap(tx, room, rank, &missing).await
    }
}
