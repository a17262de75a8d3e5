use axum::extract::State;
use federation::Memberships;
use room::handshake::Handshake;
use ruma::api::federation::membership::prepare_join_event::v1::{Request, Response};

use crate::{MatrixError, Reply, Signed};

/// `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`
pub async fn make_join(
    State(memberships): State<Memberships>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let template = memberships.template(&origin, &req.room_id, &req.user_id, Handshake::Join, Some(&req.ver)).await?;
    let mut response = Response::new(template.event);
    response.room_version = Some(template.version);
    Ok(Reply(response))
}
