use axum::extract::State;
use flows::Flows;
use ruma::api::client::membership::leave_room::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/leave`
pub async fn leave(
    State(flows): State<Flows>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    flows.leave(&user, &req.room_id, req.reason).await?;
    Ok(Reply(Response::new()))
}
