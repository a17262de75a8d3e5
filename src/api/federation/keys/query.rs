use axum::extract::State;
use federation::ServerKeys;
use ruma::api::federation::discovery::get_remote_server_keys::v2::Request;
use serde_json::json;

use crate::{JsonReply, MatrixError, Public};

/// `GET /_matrix/key/v2/query/{serverName}`
pub async fn query(
    State(keys): State<ServerKeys>,
    Public { req, .. }: Public<Request>,
) -> Result<JsonReply, MatrixError> {
    let documents = keys.notarised_of(req.server_name, req.minimum_valid_until_ts.get().into()).await?;
    Ok(JsonReply(json!({ "server_keys": documents })))
}
