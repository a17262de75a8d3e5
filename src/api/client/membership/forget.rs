use axum::extract::State;
use room::Rooms;
use ruma::api::client::membership::forget_room::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/forget`
pub async fn forget(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rooms.forget(&req.room_id, &user).await?;
    Ok(Reply(Response::new()))
}
