use axum::extract::State;
use federation::{Memberships, membership::Received};
use ruma::api::federation::membership::create_knock_event::v1::Request;

use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`
pub async fn send_knock(
    State(memberships): State<Memberships>,
    Signed { origin, req, body, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let received = Received { origin: &origin, room_id: &req.room_id, event_id: &req.event_id, event: body };
    let state = memberships.take_knock(&received).await?;
    Ok(Written::default().events("knock_room_state", &state).into())
}
