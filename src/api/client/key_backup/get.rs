use axum::extract::State;
use e2ee::Backups;
use ruma::api::client::backup::get_backup_info::v3::Request;

use super::body::described;
use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/room_keys/version/{version}`
pub async fn get(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    described(backups.info(&user, Some(&req.version)).await?)
}
