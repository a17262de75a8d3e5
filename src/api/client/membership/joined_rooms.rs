use axum::extract::State;
use room::Rooms;
use ruma::api::client::membership::joined_rooms::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/joined_rooms`
pub async fn joined_rooms(
    State(rooms): State<Rooms>,
    Authed { user, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let view = rooms.db().view();
    let mut ids = Vec::new();
    for room in rooms.joined_rooms(&view, &user).await? {
        ids.push(rooms.info(&view, room).await?.id.clone());
    }
    Ok(Reply(Response::new(ids)))
}
