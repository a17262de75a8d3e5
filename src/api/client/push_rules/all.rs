use axum::extract::State;
use push::Rules;
use ruma::api::client::push::get_pushrules_all::v3::Request;

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/pushrules/`
pub async fn all(State(rules): State<Rules>, Authed { user, .. }: Authed<Request>) -> Result<JsonReply, MatrixError> {
    Ok(JsonReply(rules.json(&user).await?))
}
