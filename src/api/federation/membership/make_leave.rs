use axum::extract::State;
use federation::Memberships;
use room::handshake::Handshake;
use ruma::api::federation::membership::prepare_leave_event::v1::{Request, Response};

use crate::{MatrixError, Reply, Signed};

/// `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`
pub async fn make_leave(
    State(memberships): State<Memberships>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let template = memberships.template(&origin, &req.room_id, &req.user_id, Handshake::Leave, None).await?;
    Ok(Reply(Response::new(Some(template.version), template.event)))
}
