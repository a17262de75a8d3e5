//! One event that another server sent: checked where it was sent and against now, then appended.

use std::{collections::BTreeSet, sync::Arc};

use event::{Pdu, RoomVersionRules};
use kv::Tx;
use ruma::{OwnedEventId, RoomId, ServerName};

use super::{Hidden, Ingested, Terms, authorize::missing, resolve::Around};
use crate::{
    EventMeta, Outgoing, Result, RoomError, RoomInfo, Rooms, Tip,
    append::Landing,
    lookup::rules,
    num::{EventNum, Place, RoomNum},
    row::{Placement, Transaction, Verdict},
    sent::{note_sent, sent_before},
    state::Root,
    tables::TIPS,
};

/// What a transaction of one event works with.
struct Scene<'a> {
    room: RoomNum,
    info: &'a RoomInfo,
    rules: &'a RoomVersionRules,
    terms: &'a Terms,
    /// The transaction of a local sender.
    transaction: Option<Transaction>,
}

impl Rooms {
    /// Takes in an event of a room that this server is in. `before` is the state before it if the caller had to ask
    /// another server for that, because what came before is missing; its events must be known.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`] when this server is not in the room; [`RoomError::UnknownEvent`] when `before` has
    /// an unknown event; otherwise only when storage fails: what is wrong with the event is an [`Ingested`].
    pub async fn ingest(&self, room_id: &RoomId, pdu: &Arc<Pdu>, before: Option<&[OwnedEventId]>) -> Result<Ingested> {
        let mut all = self.ingest_run(room_id, std::slice::from_ref(pdu), before).await?;
        all.pop().ok_or(RoomError::UnknownEvent)
    }

    /// Takes in a run of events in one transaction; stops after the first one that misses something, so the answer
    /// may be shorter than `pdus`. `before` is for the first one.
    ///
    /// # Errors
    /// As [`Rooms::ingest`].
    pub async fn ingest_run(
        &self,
        room_id: &RoomId,
        pdus: &[Arc<Pdu>],
        before: Option<&[OwnedEventId]>,
    ) -> Result<Vec<Ingested>> {
        self.ingest_by(room_id, pdus, before, (None, &Terms::default())).await
    }

    /// As [`Rooms::ingest_run`], on these terms.
    ///
    /// # Errors
    /// As [`Rooms::ingest`].
    pub async fn ingest_run_with(
        &self,
        room_id: &RoomId,
        pdus: &[Arc<Pdu>],
        before: Option<&[OwnedEventId]>,
        terms: &Terms,
    ) -> Result<Vec<Ingested>> {
        self.ingest_by(room_id, pdus, before, (None, terms)).await
    }

    /// Takes in an event that `origin` makes through this server, which passes it on to the rest of the room.
    ///
    /// # Errors
    /// As [`Rooms::ingest`].
    pub async fn ingest_for(&self, room_id: &RoomId, pdu: &Arc<Pdu>, origin: &ServerName) -> Result<Ingested> {
        let mut all =
            self.ingest_by(room_id, std::slice::from_ref(pdu), None, (Some(origin), &Terms::default())).await?;
        all.pop().ok_or(RoomError::UnknownEvent)
    }

    async fn ingest_by(
        &self,
        room_id: &RoomId,
        pdus: &[Arc<Pdu>],
        before: Option<&[OwnedEventId]>,
        (origin, terms): (Option<&ServerName>, &Terms),
    ) -> Result<Vec<Ingested>> {
        let room = self.num(&self.db.view(), room_id).await?;
        let turn = self.turns.of(room).await;
        let (all, pending) = kv::retry(|| async {
            let mut tx = self.db.begin();
            let info = self.info(&tx, room).await?;
            let mut tip = self.tip(&tx, room).await?;
            if tip.extremities.is_empty() {
                return Err(RoomError::UnknownRoom);
            }
            let rules = rules(&info.version)?;
            let scene = Scene { room, info: &info, rules: &rules, terms, transaction: None };
            let mut all = Vec::with_capacity(pdus.len());
            let mut before = before;
            for pdu in pdus {
                let became = self.receive(&mut tx, &scene, &mut tip, pdu, before.take()).await?;
                if let (Ingested::Accepted(num), Some(origin)) = (&became, origin) {
                    self.relay(&mut tx, room, *num, origin);
                }
                let stop = matches!(became, Ingested::Missing(_));
                all.push(became);
                if stop {
                    break;
                }
            }
            Ok::<_, RoomError>((all, tx.submit().await?))
        })
        .await?;
        drop(turn);
        pending.durable().await?;
        Ok(all)
    }

    async fn receive(
        &self,
        tx: &mut Tx,
        scene: &Scene<'_>,
        tip: &mut Tip,
        pdu: &Arc<Pdu>,
        before: Option<&[OwnedEventId]>,
    ) -> Result<Ingested> {
        let Scene { room, rules, .. } = *scene;
        let outlier = match self.locate(tx, &pdu.event_id).await? {
            Some(at) if at.room != room => return Ok(Ingested::Rejected("the event is of another room".into())),
            Some(at) => {
                let row = self.row(tx, room, at.num).await?;
                if row.meta.placement != Placement::Outlier {
                    return Ok(Ingested::Known);
                }
                Some(at.num)
            }
            None => None,
        };
        if self.is_other_create(tx, room, tip, pdu).await? {
            return Ok(Ingested::Rejected("the room has another create event".into()));
        }
        let (auth, missing_auth) = self.auth_events(tx, room, pdu, rules).await?;
        let (mut around, missing_prev) = self.around(tx, room, pdu).await?;
        let missing_prev = if before.is_some() { Vec::new() } else { missing_prev };
        // With the state given, what could be had was fetched: the rules deal with what is still missing.
        let missing_auth = if before.is_some() { Vec::new() } else { missing_auth };
        if let Some(missing) = missing(missing_prev, missing_auth) {
            return Ok(Ingested::Missing(missing));
        }
        let num = outlier.unwrap_or(EventNum(tip.next_event));
        tip.next_event = tip.next_event.max(num.0 + 1);
        if let Some(ids) = before {
            around.states.push(self.state_of(tx, room, ids).await?);
        }
        let state_before = self.resolve(tx, room, rules, &around.states).await?;
        if let Err(reason) = auth.check(pdu, rules) {
            self.keep(tx, scene, tip, pdu, num, state_before, Verdict::RejectedByAuth(reason.clone())).await?;
            return Ok(Ingested::Rejected(reason));
        }
        if let Err(reason) = self.check_against(tx, room, pdu, rules, state_before).await? {
            self.keep(tx, scene, tip, pdu, num, state_before, Verdict::RejectedByState(reason.clone())).await?;
            return Ok(Ingested::Rejected(reason));
        }
        if state_before != tip.state
            && let Err(reason) = self.check_against(tx, room, pdu, rules, tip.state).await?
        {
            self.keep(tx, scene, tip, pdu, num, state_before, Verdict::SoftFailed).await?;
            self.intern_key(tx, room, pdu).await?;
            return Ok(Ingested::SoftFailed(reason));
        }
        if scene.terms.unwanted.contains(&pdu.event_id) {
            self.keep(tx, scene, tip, pdu, num, state_before, Verdict::SoftFailed).await?;
            self.intern_key(tx, room, pdu).await?;
            return Ok(Ingested::SoftFailed("the room's policy server has not signed it".into()));
        }
        self.accept(tx, scene, tip, pdu, num, state_before, around).await
    }

    /// Adds an event of this server that was built before the last ones came.
    pub(crate) async fn ingest_own(&self, room: RoomNum, pdu: &Arc<Pdu>, out: &Outgoing) -> Result<OwnedEventId> {
        let now = self.clock.now();
        let turn = self.turns.of(room).await;
        let (event_id, pending) = kv::retry(|| async {
            let mut tx = self.db.begin();
            if let Some(event_id) = sent_before(&tx, room, out, now).await? {
                // It may not be durable yet.
                return Ok::<_, RoomError>((event_id, tx.submit().await?));
            }
            let info = self.info(&tx, room).await?;
            let mut tip = self.tip(&tx, room).await?;
            let rules = rules(&info.version)?;
            let transaction = note_sent(&mut tx, room, out, pdu, now);
            let terms = Terms::default();
            let scene = Scene { room, info: &info, rules: &rules, terms: &terms, transaction };
            match self.receive(&mut tx, &scene, &mut tip, pdu, None).await? {
                Ingested::Accepted(_) | Ingested::Known => {}
                Ingested::SoftFailed(reason) | Ingested::Rejected(reason) => return Err(RoomError::Denied(reason)),
                Ingested::Missing(_) => return Err(RoomError::UnknownEvent),
            }
            Ok((pdu.event_id.clone(), tx.submit().await?))
        })
        .await?;
        drop(turn);
        pending.durable().await?;
        Ok(event_id)
    }

    /// Appends an event that everything speaks for.
    #[expect(clippy::too_many_arguments, reason = "all that was found out about the event")]
    async fn accept(
        &self,
        tx: &mut Tx,
        scene: &Scene<'_>,
        tip: &mut Tip,
        pdu: &Arc<Pdu>,
        num: EventNum,
        before: Root,
        around: Around,
    ) -> Result<Ingested> {
        let Scene { room, info, rules, .. } = *scene;
        let (replaces, after) = self.step_state(tx, room, before, pdu, num).await?;
        let extremities = self.extremities_with(tx, room, tip, pdu, num).await?;
        if extremities.len() > 1 {
            // Resolution reads it like any other event.
            self.write_event(tx, room, info, pdu, num, &meta_of(Verdict::Accepted, before)).await?;
        }
        let state = self.state_of_extremities(tx, room, rules, tip, &extremities, num, after).await?;
        // What came before is unknown: the event begins a new part of the timeline.
        let place = match around.missing.is_empty() {
            true => tip.place.next(),
            false => Place { rank: tip.place.rank.saturating_add(gap_width()), ordinal: 0 },
        };
        if !around.missing.is_empty() {
            self.open_gap(tx, room, place.rank, &around.missing);
        }
        let transaction = scene.transaction.clone();
        let landing = Landing { num, place, before, after, replaces, state, extremities, transaction };
        self.land(tx, room, info, tip, pdu, landing).await?;
        Ok(Ingested::Accepted(num))
    }

    /// Stores an event that is not shown.
    #[expect(clippy::too_many_arguments, reason = "everything that is known of the event")]
    async fn keep(
        &self,
        tx: &mut Tx,
        scene: &Scene<'_>,
        tip: &Tip,
        pdu: &Pdu,
        num: EventNum,
        before: Root,
        verdict: Verdict,
    ) -> Result<()> {
        tracing::info!(room = %scene.info.id, event = %pdu.event_id, ?verdict, "an event was not let into the room");
        if scene.terms.hidden == Hidden::Forgotten {
            return Ok(());
        }
        let mut pdu = pdu.clone();
        pdu.rejected = matches!(verdict, Verdict::RejectedByAuth(_) | Verdict::RejectedByState(_));
        let meta = meta_of(verdict, before);
        self.caches.forget_pdu(scene.room, num);
        self.write_event(tx, scene.room, scene.info, &pdu, num, &meta).await?;
        tx.put(&TIPS, scene.room, tip);
        Ok(())
    }

    /// The states after the previous events, and which of these have none here.
    pub(super) async fn around(&self, tx: &mut Tx, room: RoomNum, pdu: &Pdu) -> Result<(Around, Vec<OwnedEventId>)> {
        let mut around = Around::default();
        let prev: BTreeSet<_> = pdu.prev_events.iter().cloned().collect();
        for id in prev {
            let row = match self.locate(tx, &id).await? {
                Some(at) if at.room == room => Some((at.num, self.row(tx, room, at.num).await?)),
                _ => None,
            };
            match row.filter(|(_, row)| row.meta.placement != Placement::Outlier) {
                Some((num, row)) => around.states.push(self.state_with(tx, room, num, &row).await?),
                None => around.missing.push(id),
            }
        }
        let missing = around.missing.clone();
        Ok((around, missing))
    }
}

/// What is known of an event that has no place.
fn meta_of(verdict: Verdict, before: Root) -> EventMeta {
    EventMeta {
        place: None,
        placement: Placement::Full,
        verdict,
        before,
        replaces: None,
        redacted_by: None,
        transaction: None,
    }
}

/// How far apart the parts of a timeline are put, so that others fit between them.
pub(super) const fn gap_width() -> u64 {
    1 << 32
}
