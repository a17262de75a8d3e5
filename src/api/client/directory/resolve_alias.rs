use axum::extract::State;
use flows::Flows;
use ruma::api::client::alias::get_alias::v3::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// `GET /_matrix/client/v3/directory/room/{roomAlias}`
pub async fn resolve_alias(
    State(flows): State<Flows>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let (room, servers) = flows.resolve_alias(&req.room_alias).await?;
    Ok(Reply(Response::new(room, servers)))
}
