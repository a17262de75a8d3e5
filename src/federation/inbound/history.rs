//! History from before this server came into a room. Server-server API, "Backfilling and retrieving missing events".

use std::sync::Arc;

use base::Turn;
use event::Pdu;
use room::{Place, StatesBefore};
use ruma::{OwnedRoomId, OwnedServerName, RoomId, UInt, api::federation::backfill::get_backfill};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Effort, Inbound, InboundError,
    fetch::{From, PATIENCE},
    junk::Whose,
};
use crate::Call;

/// Events asked for at a time.
pub(super) const PAGE: u32 = 100;
/// How long a server may take: a user waits.
pub(super) const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// Bytes of such a page: JSON may be written longer than events may be.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// Servers that are asked before giving up.
const MAX_SERVERS: usize = 4;

#[derive(Deserialize)]
pub(super) struct Events {
    pub pdus: Vec<Box<RawValue>>,
}

impl Inbound {
    /// Fetches events from before the part of the timeline that `place` is in, if there is a gap. Answers whether
    /// something came.
    ///
    /// # Errors
    /// When storage fails. Servers that do not answer are passed over.
    pub async fn backfill(&self, room_id: &RoomId, place: Place) -> Result<bool, InboundError> {
        let Some(_turn) = self.history_turn(room_id).await else { return Ok(false) };
        let view = self.db.view();
        let room = self.rooms.num(&view, room_id).await?;
        let Some(gap) = self.rooms.gap_before(&view, room, place).await? else { return Ok(false) };
        let info = self.rooms.info(&view, room).await?;
        let Some(rules) = event::rules(&info.version) else { return Ok(false) };
        for server in self.candidates(&view, room_id, room).await? {
            let from = From { server: &server, room: room_id, rules: &rules, whose: Whose::Member(&server) };
            let mut request = get_backfill::v1::Request::new(room_id.to_owned(), gap.missing.clone(), UInt::from(PAGE));
            request.v.truncate(20);
            let answer = match Call::of(request) {
                Ok(call) => self.client.call(&server, call.timeout(TIMEOUT).max_bytes(MAX_BYTES)).await,
                Err(error) => Err(error),
            };
            let events = match answer.map(|answer| serde_json::from_slice::<Events>(&answer.body)) {
                Ok(Ok(events)) => events,
                other => {
                    let error = other.err().map(|error| error.to_string()).unwrap_or_default();
                    tracing::info!(%server, room = %room_id, error, "history could not be fetched");
                    continue;
                }
            };
            let pdus = self.verified(&from, events.pdus).await;
            if !pdus.is_empty() && self.place(&from, place, &pdus).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until nobody else fetches history of a room; `None` when that takes too long, as a user waits.
    pub(super) async fn history_turn(&self, room: &RoomId) -> Option<Turn<OwnedRoomId>> {
        tokio::time::timeout(PATIENCE, self.history.of(room.to_owned())).await.ok().flatten()
    }

    /// Puts fetched events before a gap, after asking for the state where it cannot be told.
    pub(super) async fn place(&self, from: &From<'_>, place: Place, pdus: &[Arc<Pdu>]) -> Result<bool, InboundError> {
        let mut effort = Effort::default();
        let mut states = StatesBefore::new();
        for pdu in self.rooms.without_state(from.room, pdus).await? {
            match self.fetch_state(from, &pdu.event_id, &mut effort).await {
                Ok(state) => {
                    states.insert(pdu.event_id.clone(), state);
                }
                Err(error) if error.is_internal() => return Err(error),
                Err(error) => {
                    tracing::info!(event = %pdu.event_id, %error, "the state of old history is not to be had");
                }
            }
        }
        Ok(self.rooms.backfilled(from.room, place.rank, pdus, &states).await? > 0)
    }

    /// Servers that may have the history: the one that made the room first.
    pub(super) async fn candidates(
        &self,
        view: &kv::View,
        room_id: &RoomId,
        room: room::RoomNum,
    ) -> Result<Vec<OwnedServerName>, InboundError> {
        let creator = self.rooms.info(view, room).await?.creator.server_name().to_owned();
        let mut servers = self.rooms.servers_in(view, room).await?;
        servers.retain(|server| server != self.rooms.server() && self.client.backoff().until(server).is_none());
        // The others by chance: nobody is to be asked first because of its name.
        servers.sort_by_cached_key(|server| (*server != creator, base::random::bytes::<8>()));
        servers.truncate(MAX_SERVERS);
        tracing::debug!(room = %room_id, servers = servers.len(), "asking for history");
        Ok(servers)
    }
}
