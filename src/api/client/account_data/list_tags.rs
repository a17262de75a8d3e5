use account::AccountData;
use axum::extract::State;
use ruma::api::client::tag::get_tags::v3::Request;
use serde_json::json;

use crate::{Authed, JsonReply, MatrixError, client::own::own};

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`
pub async fn list_tags(
    State(data): State<AccountData>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    own(&user, &req.user_id)?;
    let tags = data.tags(&user, &req.room_id).await?;
    Ok(JsonReply(json!({ "tags": tags })))
}
