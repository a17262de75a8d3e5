use account::AccountData;
use axum::extract::State;
use room::{Direction, Rooms};
use ruma::api::{
    Direction as Asked,
    client::room::get_event_by_timestamp::v1::{Request, Response},
};

use crate::{Authed, MatrixError, Reply, client::reader::Reader};

/// `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`
pub async fn by_time(
    State(rooms): State<Rooms>,
    State(account_data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let direction = if req.dir == Asked::Forward { Direction::Forward } else { Direction::Backward };
    let reader = Reader::new(&account_data, &rooms, &user, device.as_deref()).await?;
    let found = rooms.event_by_time(&view, access.room, &reader.viewer(), req.ts.get().into(), direction).await?;
    let (_, row) = found.ok_or_else(|| MatrixError::not_found("there is no event on that side of the time"))?;
    let id = row.event.event_id().try_into().map_err(|error| MatrixError::internal(&error))?;
    let ts = row.event.origin_server_ts().try_into().map_err(|error| MatrixError::internal(&error))?;
    Ok(Reply(Response::new(id, ruma::MilliSecondsSinceUnixEpoch(ts))))
}
