use axum::extract::State;
use federation::Memberships;
use room::handshake::Handshake;
use ruma::api::federation::membership::prepare_knock_event::v1::{Request, Response};

use crate::{MatrixError, Reply, Signed};

/// `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`
pub async fn make_knock(
    State(memberships): State<Memberships>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let template = memberships.template(&origin, &req.room_id, &req.user_id, Handshake::Knock, Some(&req.ver)).await?;
    Ok(Reply(Response::new(template.version, template.event)))
}
