use axum::extract::State;
use room::Rooms;
use ruma::api::client::room::report_room::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/report`
pub async fn report_room(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rooms.report_room(&user, &req.room_id, &req.reason).await?;
    Ok(Reply(Response::new()))
}
