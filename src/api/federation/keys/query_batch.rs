use axum::extract::State;
use federation::{ServerKeys, keys::MAX_QUERIED};
use ruma::api::federation::discovery::get_remote_server_keys_batch::v2::Request;
use serde_json::json;

use crate::{JsonReply, MatrixError, Public};

/// `POST /_matrix/key/v2/query`
pub async fn query_batch(
    State(keys): State<ServerKeys>,
    Public { req, .. }: Public<Request>,
) -> Result<JsonReply, MatrixError> {
    if req.server_keys.len() > MAX_QUERIED {
        return Err(MatrixError::too_large(format!("at most {MAX_QUERIED} servers can be asked about at once")));
    }
    let now = keys.now();
    let servers = req.server_keys.into_iter().map(|(server, wanted)| {
        let until = |at: Option<ruma::MilliSecondsSinceUnixEpoch>| at.map_or(now, |at| at.get().into());
        let wanted = wanted.into_iter().map(|(id, criteria)| (id, until(criteria.minimum_valid_until_ts)));
        (server, wanted.collect())
    });
    let documents = keys.notarised(servers.collect()).await?;
    Ok(JsonReply(json!({ "server_keys": documents })))
}
