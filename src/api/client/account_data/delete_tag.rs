use account::AccountData;
use axum::extract::State;
use ruma::api::client::tag::delete_tag::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply, client::own::own};

/// `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
pub async fn delete_tag(
    State(data): State<AccountData>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    own(&user, &req.user_id)?;
    data.remove_tag(&user, &req.room_id, &req.tag).await?;
    Ok(Reply(Response::new()))
}
