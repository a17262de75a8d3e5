use axum::extract::State;
use room::Rooms;
use ruma::api::federation::authorization::get_event_authorization::v1::Request;

use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`
pub async fn event_auth(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let room = rooms.served_room(&view, &req.room_id, &origin).await?;
    let chain = rooms.auth_chain_of(&view, room, &req.event_id).await?;
    Ok(Written::default().events("auth_chain", &chain).into())
}
