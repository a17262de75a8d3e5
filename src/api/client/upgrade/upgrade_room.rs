use axum::extract::State;
use flows::Flows;
use ruma::api::client::room::upgrade_room::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply, client::own::not_suspended};

/// `POST /_matrix/client/v3/rooms/{roomId}/upgrade`
pub async fn upgrade_room(
    State(flows): State<Flows>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    let new = flows.upgrade(&user, &req.room_id, req.new_version, req.additional_creators).await?;
    Ok(Reply(Response::new(new)))
}
