use axum::extract::State;
use flows::Flows;
use ruma::api::federation::query::get_room_information::v1::{Request, Response};

use crate::{MatrixError, Reply, Signed};

/// `GET /_matrix/federation/v1/query/directory`
pub async fn directory(
    State(flows): State<Flows>,
    Signed { req, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    if req.room_alias.server_name() != flows.rooms.server() {
        return Err(MatrixError::invalid_param("this alias is not one of this server"));
    }
    let (room, servers) = flows.local_alias(&req.room_alias).await?;
    Ok(Reply(Response::new(room, servers)))
}
