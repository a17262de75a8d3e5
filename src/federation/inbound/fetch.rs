//! Getting what events refer to and what is not here.

use std::{collections::HashSet, sync::Arc, time::Duration};

use base::Turn;
use bytes::Bytes;
use event::{Pdu, RoomVersionRules};
use futures::{StreamExt, stream};
use room::Ingested;
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedServerName, RoomId, ServerName, UInt,
    api::federation::{
        authorization::get_event_authorization,
        event::{get_event, get_missing_events, get_room_state, get_room_state_ids},
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Effort, Inbound, InboundError, junk::Whose};
use crate::{Call, CallError};

/// Events asked for at once to close a gap. Server-server API, "Retrieving event context": servers cap this at 20.
const GAP: u32 = 20;
/// Most events of an answer to that.
const MAX_GAP: usize = 100;
/// Bytes of such an answer, and of one with a single event: JSON may be written longer than an event may be.
const MAX_GAP_BYTES: usize = 16 << 20;
const MAX_EVENT_BYTES: usize = 512 << 10;
/// Servers that are asked beside the one that sent an event.
const MAX_OTHERS: usize = 2;
/// Events asked for one by one; more are asked for with the whole state.
const FEW: usize = 50;
/// Requests for single events at a time.
const PARALLEL: usize = 8;
/// How long somebody else may fetch for a room before others fetch on their own.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Most events of a state that is fetched.
const MAX_STATE: usize = 200_000;
/// Bytes of a state that is fetched.
const MAX_STATE_BYTES: usize = 256 << 20;

/// A room that events are fetched for, and where from.
#[derive(Debug, Clone)]
pub(super) struct From<'a> {
    pub server: &'a ServerName,
    pub room: &'a RoomId,
    pub rules: &'a RoomVersionRules,
    /// Who pays for what is kept and not shown.
    pub whose: Whose<'a>,
}

#[derive(Default, Deserialize)]
struct Events {
    #[serde(alias = "pdus", alias = "auth_chain")]
    events: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    pdus: Vec<Box<RawValue>>,
    #[serde(default)]
    auth_chain: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct StateIds {
    #[serde(default)]
    pdu_ids: Vec<OwnedEventId>,
    #[serde(default)]
    auth_chain_ids: Vec<OwnedEventId>,
}

pub(super) fn bytes(raws: Vec<Box<RawValue>>) -> Vec<Bytes> {
    raws.into_iter().map(|raw| Bytes::from(String::from(Box::<str>::from(raw)))).collect()
}

impl Inbound {
    /// Ingests an event after fetching what it lacks.
    pub(super) async fn complete(
        &self,
        from: &From<'_>,
        pdu: &Arc<Pdu>,
        effort: &mut Effort,
    ) -> Result<Ingested, InboundError> {
        let _turn = self.missing_turn(from, effort).await;
        let mut missing = match self.take(from, pdu, None).await? {
            Ingested::Missing(missing) => missing,
            became => return Ok(became),
        };
        let told = missing.prev.is_empty() || self.fetch_gap(from, pdu, effort).await?;
        if !missing.auth.is_empty() {
            self.fetch_auth(from, &pdu.event_id, &missing.auth, effort).await;
        }
        match self.take(from, pdu, None).await? {
            Ingested::Missing(still) => missing = still,
            became => return Ok(became),
        }
        if told || missing.prev.is_empty() {
            // Who pushes an event has what came before it. One that tells of other events, or of none, keeps it back.
            return Ok(Ingested::Missing(missing));
        }
        // Nobody could be asked for the events, so that it is not known what was kept back.
        self.ingest_with_state(from, pdu, &missing.prev, effort).await
    }

    /// Waits until nobody else fetches for the room: they may get just what is missing. A slow server is not waited for.
    async fn missing_turn(&self, from: &From<'_>, effort: &mut Effort) -> Option<Turn<OwnedRoomId>> {
        if !effort.patient {
            return None;
        }
        let turn = tokio::time::timeout(PATIENCE, self.missing.of(from.room.to_owned())).await;
        effort.patient = turn.is_ok();
        turn.ok().flatten()
    }

    /// Ingests an event with the state after one of the previous events that are not here, as another server tells it.
    async fn ingest_with_state(
        &self,
        from: &From<'_>,
        pdu: &Arc<Pdu>,
        missing: &[OwnedEventId],
        effort: &mut Effort,
    ) -> Result<Ingested, InboundError> {
        let mut failure = InboundError::TooMuch;
        for prev in missing {
            match self.state_after(from, prev, effort).await {
                Ok(state) => return Ok(self.take(from, pdu, Some(&state)).await?),
                Err(error) if error.is_internal() => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The state after an event that is not here.
    async fn state_after(
        &self,
        from: &From<'_>,
        event: &EventId,
        effort: &mut Effort,
    ) -> Result<Vec<OwnedEventId>, InboundError> {
        let mut state = self.fetch_state(from, event, effort).await?;
        if self.rooms.locate(&self.db.view(), event).await?.is_none() {
            let pdus = self.fetch_events(from, vec![event.to_owned()], effort).await;
            self.take_outliers(from, &pdus).await?;
        }
        // Of two events under one key the later one counts.
        if self.rooms.locate(&self.db.view(), event).await?.is_some() {
            state.push(event.to_owned());
        }
        Ok(state)
    }

    /// Asks for the events between what is known and `pdu`, and ingests them; answers whether somebody told of any.
    /// Others in the room are asked if the server that sent the event does not answer.
    async fn fetch_gap(&self, from: &From<'_>, pdu: &Pdu, effort: &mut Effort) -> Result<bool, InboundError> {
        let mut servers = vec![from.server.to_owned()];
        let mut others = self.others(from).await?;
        while let Some(server) = servers.pop() {
            let from = From { server: &server, ..from.clone() };
            match self.missing_events(&from, pdu, effort).await? {
                Ok(events) => {
                    self.fill_gap(&from, events, effort).await?;
                    return Ok(true);
                }
                Err(error) => {
                    tracing::info!(%server, %error, "missing events could not be fetched");
                    if error.is_temporary() {
                        servers.extend(others.pop());
                    }
                }
            }
        }
        Ok(false)
    }

    /// Some other servers in the room that seem to work.
    async fn others(&self, from: &From<'_>) -> Result<Vec<OwnedServerName>, InboundError> {
        let view = self.db.view();
        let room = self.rooms.num(&view, from.room).await?;
        let mut servers = self.rooms.servers_in(&view, room).await?;
        servers.retain(|server| {
            server != self.rooms.server() && server != from.server && self.client.backoff().until(server).is_none()
        });
        // By chance: nobody is to be asked first because of its name.
        servers.sort_by_cached_key(|_| base::random::bytes::<8>());
        servers.truncate(MAX_OTHERS);
        Ok(servers)
    }

    async fn missing_events(
        &self,
        from: &From<'_>,
        pdu: &Pdu,
        effort: &mut Effort,
    ) -> Result<Result<Vec<Box<RawValue>>, CallError>, InboundError> {
        if !effort.gap() {
            return Err(InboundError::TooMuch);
        }
        let view = self.db.view();
        let room = self.rooms.num(&view, from.room).await?;
        let tip = self.rooms.tip(&view, room).await?;
        let known = tip.extremities.iter().map(|extremity| extremity.id.clone()).collect();
        let mut request = get_missing_events::v1::Request::new(from.room.to_owned(), known, vec![pdu.event_id.clone()]);
        request.limit = UInt::from(GAP);
        let answer = match Call::of(request) {
            Ok(call) => self.client.call(from.server, call.max_bytes(MAX_GAP_BYTES)).await,
            Err(error) => Err(error),
        };
        // What makes no sense tells as much as nothing.
        let events = answer.map(|answer| serde_json::from_slice::<Events>(&answer.body).unwrap_or_default().events);
        Ok(events.map(|mut events| {
            events.truncate(MAX_GAP);
            events
        }))
    }

    async fn fill_gap(
        &self,
        from: &From<'_>,
        events: Vec<Box<RawValue>>,
        effort: &mut Effort,
    ) -> Result<(), InboundError> {
        let pdus = self.verified(from, events).await;
        for pdu in room::in_order(&pdus) {
            if let Err(error) = Box::pin(self.fill_in(from, &pdu, effort)).await {
                if error.is_internal() {
                    return Err(error);
                }
                tracing::info!(event = %pdu.event_id, %error, "a missing event did not get in");
            }
        }
        Ok(())
    }

    /// Ingests one of the events that were missing. What is still missing before it is too far back to be walked.
    async fn fill_in(&self, from: &From<'_>, pdu: &Arc<Pdu>, effort: &mut Effort) -> Result<(), InboundError> {
        let Ingested::Missing(missing) = self.take(from, pdu, None).await? else { return Ok(()) };
        if !missing.auth.is_empty() {
            self.fetch_auth(from, &pdu.event_id, &missing.auth, effort).await;
        }
        if let Ingested::Missing(missing) = self.take(from, pdu, None).await? {
            self.ingest_with_state(from, pdu, &missing.prev, effort).await?;
        }
        Ok(())
    }

    /// Fetches the auth chain of an event as outliers; what cannot be had stays missing.
    async fn fetch_auth(&self, from: &From<'_>, event: &EventId, missing: &[OwnedEventId], effort: &mut Effort) {
        if !effort.chain() {
            return;
        }
        let request = get_event_authorization::v1::Request::new(from.room.to_owned(), event.to_owned());
        let whole = match Call::of(request) {
            Ok(call) => self.client.call(from.server, call.max_bytes(MAX_STATE_BYTES)).await,
            Err(error) => Err(error),
        };
        let pdus = match whole.map(|answer| serde_json::from_slice::<Events>(&answer.body)) {
            Ok(Ok(events)) if events.events.len() <= MAX_STATE => self.verified(from, events.events).await,
            _ => self.fetch_events(from, missing.to_vec(), effort).await,
        };
        if let Err(error) = self.take_outliers(from, &pdus).await {
            tracing::warn!(room = %from.room, %error, "an auth chain could not be stored");
        }
    }

    /// The state before an event as another server tells it: ids of events that are all here afterwards.
    pub(super) async fn fetch_state(
        &self,
        from: &From<'_>,
        event: &EventId,
        effort: &mut Effort,
    ) -> Result<Vec<OwnedEventId>, InboundError> {
        if !effort.state() {
            return Err(InboundError::TooMuch);
        }
        let request = get_room_state_ids::v1::Request::new(event.to_owned(), from.room.to_owned());
        let call = Call::of(request)?.max_bytes(MAX_STATE_BYTES);
        let answer = self.client.call(from.server, call).await?;
        let ids: StateIds =
            serde_json::from_slice(&answer.body).map_err(|error| InboundError::Malformed(error.to_string()))?;
        if ids.pdu_ids.len() + ids.auth_chain_ids.len() > MAX_STATE {
            return Err(InboundError::TooMuch);
        }
        let all: Vec<_> = ids.auth_chain_ids.iter().chain(&ids.pdu_ids).cloned().collect();
        let unknown = self.unknown(all).await?;
        let pdus = if unknown.len() > FEW {
            self.fetch_whole_state(from, event).await?
        } else {
            self.fetch_events(from, unknown, effort).await
        };
        self.take_outliers(from, &pdus).await?;
        let still: HashSet<_> = self.unknown(ids.pdu_ids.clone()).await?.into_iter().collect();
        Ok(ids.pdu_ids.into_iter().filter(|id| !still.contains(id)).collect())
    }

    async fn fetch_whole_state(&self, from: &From<'_>, event: &EventId) -> Result<Vec<Arc<Pdu>>, InboundError> {
        let request = get_room_state::v1::Request::new(event.to_owned(), from.room.to_owned());
        let call = Call::of(request)?.max_bytes(MAX_STATE_BYTES).timeout(Duration::from_secs(180));
        let answer = self.client.call(from.server, call).await?;
        let state: State =
            serde_json::from_slice(&answer.body).map_err(|error| InboundError::Malformed(error.to_string()))?;
        let mut all = state.auth_chain;
        all.extend(state.pdus);
        if all.len() > MAX_STATE {
            return Err(InboundError::TooMuch);
        }
        Ok(self.verified(from, all).await)
    }

    /// Fetches events one by one, a few at a time; those that cannot be had are left out.
    async fn fetch_events(&self, from: &From<'_>, ids: Vec<OwnedEventId>, effort: &mut Effort) -> Vec<Arc<Pdu>> {
        let ids: Vec<_> = ids.into_iter().take_while(|_| effort.event()).collect();
        let server: OwnedServerName = from.server.to_owned();
        let fetched: Vec<Option<Vec<Box<RawValue>>>> = stream::iter(ids)
            .map(|id| {
                let (client, server) = (self.client.clone(), server.clone());
                async move {
                    let call = Call::of(get_event::v1::Request::new(id)).ok()?;
                    let answer = client.call(&server, call.max_bytes(MAX_EVENT_BYTES)).await.ok()?;
                    serde_json::from_slice::<Events>(&answer.body).ok().map(|events| events.events)
                }
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        self.verified(from, fetched.into_iter().flatten().flatten().collect()).await
    }

    /// Those of the events that are not here.
    async fn unknown(&self, ids: Vec<OwnedEventId>) -> Result<Vec<OwnedEventId>, InboundError> {
        let view = self.db.view();
        let mut unknown = Vec::new();
        for id in ids {
            if self.rooms.locate(&view, &id).await?.is_none() {
                unknown.push(id);
            }
        }
        Ok(unknown)
    }

    /// The events that are good and of the room; the others are logged.
    pub(super) async fn verified(&self, from: &From<'_>, raws: Vec<Box<RawValue>>) -> Vec<Arc<Pdu>> {
        let mut good = Vec::with_capacity(raws.len());
        for result in self.checks.verified(from.rules, bytes(raws)).await {
            match result {
                Ok(pdu) if pdu.room_id == from.room => good.push(pdu),
                Ok(pdu) => tracing::info!(event = %pdu.event_id, server = %from.server, "an event is of another room"),
                Err(refused) => {
                    tracing::info!(event = ?refused.event_id, server = %from.server, %refused, "an event was refused");
                }
            }
        }
        good
    }
}
