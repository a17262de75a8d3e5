use axum::extract::State;
use room::{HistoryVisibility, Membership, RoomError, Rooms};
use ruma::api::client::room::aliases::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/rooms/{roomId}/aliases`
pub async fn room_aliases(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    // Who was there once may read on what was then, not which aliases there are now.
    let joined = rooms.membership(&view, &user, access.room).await? == Membership::Join;
    let open = async || rooms.history_visibility(&view, access.room, access.state).await;
    if !joined && (access.past || open().await? != HistoryVisibility::WorldReadable) {
        return Err(RoomError::NotJoined.into());
    }
    Ok(Reply(Response::new(rooms.aliases(&view, &req.room_id).await?)))
}
