use axum::extract::State;
use room::Rooms;
use ruma::api::federation::event::get_room_state_ids::v1::{Request, Response};

use crate::{MatrixError, Reply, Signed};

/// `GET /_matrix/federation/v1/state_ids/{roomId}`
pub async fn ids(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let view = rooms.db().view();
    let room = rooms.served_room(&view, &req.room_id, &origin).await?;
    let found = rooms.state_ids_before(&view, room, &req.event_id).await?;
    Ok(Reply(Response::new(found.auth_chain, found.state)))
}
