use axum::extract::State;
use room::Rooms;
use ruma::api::client::alias::delete_alias::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `DELETE /_matrix/client/v3/directory/room/{roomAlias}`
pub async fn delete_alias(
    State(rooms): State<Rooms>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rooms.delete_alias(&req.room_alias, &user, account.admin).await?;
    Ok(Reply(Response::new()))
}
