use axum::extract::State;
use room::Rooms;
use ruma::api::client::{
    directory::get_room_visibility::v3::{Request, Response},
    room::Visibility,
};

use crate::{MatrixError, Public, Reply};

/// `GET /_matrix/client/v3/directory/list/room/{roomId}`
pub async fn visibility(
    State(rooms): State<Rooms>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let listed = rooms.is_published(&rooms.db().view(), &req.room_id).await?;
    Ok(Reply(Response::new(if listed { Visibility::Public } else { Visibility::Private })))
}
