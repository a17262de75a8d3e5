use axum::extract::State;
use federation::{Memberships, membership::Received};
use ruma::api::federation::membership::create_leave_event::v2::{Request, Response};

use crate::{MatrixError, Reply, Signed};

/// `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`
pub async fn send_leave(
    State(memberships): State<Memberships>,
    Signed { origin, req, body, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let received = Received { origin: &origin, room_id: &req.room_id, event_id: &req.event_id, event: body };
    memberships.take_leave(&received).await?;
    Ok(Reply(Response::new()))
}
