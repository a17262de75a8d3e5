use axum::extract::State;
use push::Rules;
use ruma::api::client::push::get_pushrules_global_scope::v3::Request;
use serde_json::Value;

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/pushrules/global/`
pub async fn global(
    State(rules): State<Rules>,
    Authed { user, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let mut all = rules.json(&user).await?;
    Ok(JsonReply(all.get_mut("global").map(Value::take).unwrap_or_default()))
}
