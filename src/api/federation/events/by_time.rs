use axum::extract::State;
use room::Rooms;
use ruma::api::federation::event::get_event_by_timestamp::v1::{Request, Response};

use crate::{MatrixError, Reply, Signed, client::point::direction};

/// `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`
pub async fn by_time(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let view = rooms.db().view();
    let room = rooms.served_room(&view, &req.room_id, &origin).await?;
    let found = rooms.event_by_time_for(&view, room, &origin, req.ts.get().into(), direction(req.dir)).await?;
    let (_, row) = found.ok_or_else(|| MatrixError::not_found("there is no event on that side of the time"))?;
    let id = row.event.event_id().try_into().map_err(|error| MatrixError::internal(&error))?;
    let ts = row.event.origin_server_ts().try_into().map_err(|error| MatrixError::internal(&error))?;
    Ok(Reply(Response::new(id, ruma::MilliSecondsSinceUnixEpoch(ts))))
}
