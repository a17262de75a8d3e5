use axum::extract::State;
use federation::{Memberships, membership::Received};
use ruma::api::federation::membership::create_leave_event::v2::Request;

use super::first::First;
use crate::{MatrixError, RawReply, Signed};

/// `PUT /_matrix/federation/v1/send_leave/{roomId}/{eventId}`
pub async fn send_leave_v1(
    State(memberships): State<Memberships>,
    Signed { origin, req: First(req), body, .. }: Signed<First<Request>>,
) -> Result<RawReply, MatrixError> {
    let received = Received { origin: &origin, room_id: &req.room_id, event_id: &req.event_id, event: body };
    memberships.take_leave(&received).await?;
    Ok(b"[200,{}]".to_vec().into())
}
