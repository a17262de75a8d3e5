use axum::extract::State;
use e2ee::Backups;
use ruma::api::client::backup::get_latest_backup_info::v3::Request;

use super::body::described;
use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/room_keys/version`
pub async fn latest(
    State(backups): State<Backups>,
    Authed { user, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    described(backups.info(&user, None).await?)
}
