use axum::extract::State;
use e2ee::Backups;
use ruma::api::client::backup::delete_backup_version::v3::Request;
use serde_json::json;

use crate::{Authed, JsonReply, MatrixError};

/// `DELETE /_matrix/client/v3/room_keys/version/{version}`
pub async fn delete(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    backups.delete(&user, &req.version).await?;
    Ok(JsonReply(json!({})))
}
