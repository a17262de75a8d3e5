use axum::extract::State;
use federation::{Memberships, membership::Received};
use ruma::api::federation::membership::create_join_event::v2::Request;

use super::first::First;
use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `PUT /_matrix/federation/v1/send_join/{roomId}/{eventId}`
pub async fn send_join_v1(
    State(memberships): State<Memberships>,
    Signed { origin, req: First(req), body, .. }: Signed<First<Request>>,
) -> Result<RawReply, MatrixError> {
    let received = Received { origin: &origin, room_id: &req.room_id, event_id: &req.event_id, event: body };
    let welcome = memberships.take_join(&received, true).await?;
    let RawReply(answer) = Written::default()
        .events("auth_chain", &welcome.admitted.auth_chain)
        .events("state", &welcome.admitted.state)
        .into();
    Ok([b"[200,", &*answer, b"]"].concat().into())
}
