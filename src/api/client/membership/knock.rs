use axum::extract::State;
use flows::Flows;
use ruma::api::client::knock::knock_room::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply, client::own::not_suspended};

/// `POST /_matrix/client/v3/knock/{roomIdOrAlias}`
pub async fn knock(
    State(flows): State<Flows>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    let (room, via) = flows.place_of(&req.room_id_or_alias, req.via).await?;
    flows.knock(&user, &room, &via, req.reason).await?;
    Ok(Reply(Response::new(room)))
}
