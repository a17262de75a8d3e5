use axum::extract::State;
use room::{Rooms, serve::Missing};
use ruma::api::federation::event::get_missing_events::v1::Request;

use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `POST /_matrix/federation/v1/get_missing_events/{roomId}`
pub async fn missing(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let room = rooms.served_room(&view, &req.room_id, &origin).await?;
    let missing = Missing {
        earliest: req.earliest_events,
        latest: req.latest_events,
        limit: usize::try_from(u64::from(req.limit)).unwrap_or(usize::MAX),
        min_depth: req.min_depth.into(),
    };
    let events = rooms.missing_for(&view, room, &origin, &missing).await?;
    Ok(Written::default().events("events", &events).into())
}
