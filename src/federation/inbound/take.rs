//! Handing events to the room. What is kept of those that it does not let in is bounded: [`super::junk`]. Those that the
//! room's policy server has not signed are not shown.

use std::{collections::HashSet, sync::Arc, time::Duration};

use event::Pdu;
use room::{Hidden, Ingested, PolicyError, RoomError, Terms};
use ruma::OwnedEventId;
use tokio::time::Instant;

use super::{Inbound, InboundError, fetch::From};

/// How long a policy server may keep the events of one transaction waiting: what it has not signed by then is not shown.
const POLICY_TIME: Duration = Duration::from_secs(20);

impl Inbound {
    /// Takes in one event. [`room::Rooms::ingest`].
    pub(super) async fn take(
        &self,
        from: &From<'_>,
        pdu: &Arc<Pdu>,
        before: Option<&[OwnedEventId]>,
    ) -> Result<Ingested, RoomError> {
        let mut all = self.take_run(from, std::slice::from_ref(pdu), before).await?;
        all.pop().ok_or(RoomError::UnknownEvent)
    }

    /// Takes in a run of events. [`room::Rooms::ingest_run`].
    pub(super) async fn take_run(
        &self,
        from: &From<'_>,
        pdus: &[Arc<Pdu>],
        before: Option<&[OwnedEventId]>,
    ) -> Result<Vec<Ingested>, RoomError> {
        let hidden = if self.junk.has_room(from.whose) { Hidden::Kept } else { Hidden::Forgotten };
        let (signed, unwanted) = self.recommended(from, pdus).await?;
        let terms = Terms { hidden, unwanted };
        let became = self.rooms.ingest_run_with(from.room, &signed, before, &terms).await?;
        if hidden == Hidden::Kept {
            let is_hidden = |became: &Ingested| matches!(became, Ingested::Rejected(_) | Ingested::SoftFailed(_));
            let bytes = pdus.iter().zip(&became).filter(|(_, became)| is_hidden(became));
            let bytes: usize = bytes.map(|(pdu, _)| pdu.json().len()).sum();
            if bytes > 0 {
                self.junk.kept(from.whose, bytes);
            }
        }
        Ok(became)
    }

    /// The events with the signatures of the room's policy server, if it has one, and those that it has not signed.
    async fn recommended(
        &self,
        from: &From<'_>,
        pdus: &[Arc<Pdu>],
    ) -> Result<(Vec<Arc<Pdu>>, HashSet<OwnedEventId>), RoomError> {
        let (mut signed, mut unwanted) = (pdus.to_vec(), HashSet::new());
        let view = self.db.view();
        let room = self.rooms.num(&view, from.room).await?;
        let Some(policy) = self.rooms.policy_server(&view, room).await? else { return Ok((signed, unwanted)) };
        let mut is_down = false;
        let until = Instant::now() + POLICY_TIME;
        for pdu in &mut signed {
            // What is here was judged when it came.
            if self.rooms.locate(&view, &pdu.event_id).await?.is_some() {
                continue;
            }
            if is_down && !event::verify::is_recommended(pdu, from.rules, &policy.server, &policy.key) {
                unwanted.insert(pdu.event_id.clone());
                continue;
            }
            match self.rooms.recommended(&policy, from.rules, pdu).await {
                Ok(with) => *pdu = with,
                Err(error) => {
                    tracing::info!(event = %pdu.event_id, server = %policy.server, ?error, "a policy server did not sign");
                    is_down |= matches!(error, PolicyError::Unavailable(_));
                    unwanted.insert(pdu.event_id.clone());
                }
            }
            is_down |= Instant::now() > until;
        }
        Ok((signed, unwanted))
    }

    /// Takes in events without a place. [`room::Rooms::ingest_outliers`].
    pub(super) async fn take_outliers(&self, from: &From<'_>, pdus: &[Arc<Pdu>]) -> Result<(), InboundError> {
        if pdus.is_empty() {
            return Ok(());
        }
        if !self.junk.has_room(from.whose) {
            tracing::warn!(server = %from.server, room = %from.room, "a server makes us keep too much");
            return Err(InboundError::TooMuch);
        }
        let view = self.db.view();
        let mut bytes = 0;
        for pdu in pdus {
            if self.rooms.locate(&view, &pdu.event_id).await?.is_none() {
                bytes += pdu.json().len();
            }
        }
        self.rooms.ingest_outliers(from.room, pdus).await?;
        self.junk.kept(from.whose, bytes);
        Ok(())
    }
}
