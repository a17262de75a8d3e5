use axum::extract::State;
use room::Rooms;
use ruma::api::federation::event::get_room_state::v1::Request;

use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `GET /_matrix/federation/v1/state/{roomId}`
pub async fn full(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let room = rooms.served_room(&view, &req.room_id, &origin).await?;
    let found = rooms.full_state_before(&view, room, &req.event_id).await?;
    Ok(Written::default().events("auth_chain", &found.auth_chain).events("pdus", &found.state).into())
}
