use axum::extract::State;
use room::Rooms;
use ruma::{OwnedRoomId, api::client::membership::forget_room::v3::Response};
use serde_json::{Map, Value};

use crate::{Caller, JsonBody, MatrixError, PathArgs, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/forget`
///
/// Nothing in the body matters, but it must be an object as everywhere; ruma's type does not look at it.
pub async fn forget(
    State(rooms): State<Rooms>,
    Caller { user, .. }: Caller,
    PathArgs((room,)): PathArgs<(OwnedRoomId,)>,
    JsonBody(_): JsonBody<Map<String, Value>>,
) -> Result<Reply<Response>, MatrixError> {
    rooms.forget(&room, &user).await?;
    Ok(Reply(Response::new()))
}
