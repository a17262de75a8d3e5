//! Events by time that other servers know and this one does not. Server-server API, "Retrieving events".

use room::{Direction, StatesBefore};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, ServerName, UInt,
    api::{
        Direction as Asked,
        federation::{backfill::get_backfill, event::get_event_by_timestamp::v1::Request},
    },
};
use serde::Deserialize;

use super::{
    Inbound, InboundError,
    fetch::From,
    history::{Events, MAX_BYTES, PAGE, TIMEOUT},
    junk::Whose,
};
use crate::{Call, CallError};

/// Bytes of the answer that names an event.
const MAX_FOUND_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
struct Found {
    event_id: OwnedEventId,
    origin_server_ts: u64,
}

impl Inbound {
    /// Asks other servers for the event closest to `ts` (milliseconds since the Unix epoch), not before it going
    /// forward and not after it going backward, and fetches it with what comes before it, if it is closer than an event
    /// of the time `closest`. Answers whether something came.
    ///
    /// # Errors
    /// When storage fails. Servers that do not answer are passed over.
    pub async fn reach(
        &self,
        room_id: &RoomId,
        ts: u64,
        direction: Direction,
        closest: Option<u64>,
    ) -> Result<bool, InboundError> {
        let Some(_turn) = self.history_turn(room_id).await else { return Ok(false) };
        let view = self.db.view();
        let room = self.rooms.num(&view, room_id).await?;
        let info = self.rooms.info(&view, room).await?;
        let Some(rules) = event::rules(&info.version) else { return Ok(false) };
        for server in self.candidates(&view, room_id, room).await? {
            let found = match self.ask_by_time(&server, room_id, ts, direction).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::info!(%server, room = %room_id, %error, "a server knows no event by its time");
                    continue;
                }
            };
            let on_that_side = match direction {
                Direction::Forward => found.origin_server_ts >= ts,
                Direction::Backward => found.origin_server_ts <= ts,
            };
            let distance = |time: u64| time.abs_diff(ts);
            let is_closer = closest.is_none_or(|closest| distance(found.origin_server_ts) < distance(closest));
            let from = From { server: &server, room: room_id, rules: &rules, whose: Whose::Member(&server) };
            if on_that_side && is_closer && self.jump(&from, room, &found).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn ask_by_time(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        ts: u64,
        direction: Direction,
    ) -> Result<Found, CallError> {
        let ts = MilliSecondsSinceUnixEpoch(UInt::new(ts).unwrap_or(UInt::MAX));
        let asked = match direction {
            Direction::Forward => Asked::Forward,
            Direction::Backward => Asked::Backward,
        };
        let call = Call::of(Request::new(room_id.to_owned(), ts, asked))?;
        self.client.call(server, call.timeout(TIMEOUT).max_bytes(MAX_FOUND_BYTES)).await?.json()
    }

    /// Fetches an event with what comes before it into the midst of what is missing.
    async fn jump(&self, from: &From<'_>, room: room::RoomNum, found: &Found) -> Result<bool, InboundError> {
        let view = self.db.view();
        let Some(between) = self.rooms.between(&view, room, found.origin_server_ts).await? else { return Ok(false) };
        let request =
            get_backfill::v1::Request::new(from.room.to_owned(), vec![found.event_id.clone()], UInt::from(PAGE));
        let answer = match Call::of(request) {
            Ok(call) => self.client.call(from.server, call.timeout(TIMEOUT).max_bytes(MAX_BYTES)).await,
            Err(error) => Err(error),
        };
        let Ok(Ok(events)) = answer.map(|answer| answer.json::<Events>()) else { return Ok(false) };
        let pdus = self.verified(from, events.pdus).await;
        if !pdus.iter().any(|pdu| pdu.event_id == found.event_id) {
            return Ok(false);
        }
        let place = room::Place { rank: between.rank, ordinal: 0 };
        let came = self.place(from, place, &pdus).await?;
        // What was fetched may be all that was missing there.
        self.rooms.backfilled(from.room, between.next, &[], &StatesBefore::new()).await?;
        Ok(came)
    }
}
