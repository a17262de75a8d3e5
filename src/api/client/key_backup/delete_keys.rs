//! `DELETE` of a backup's sessions: all, those of a room, one.

use axum::extract::State;
use e2ee::{Backups, Scope};
use ruma::api::client::backup::{delete_backup_keys, delete_backup_keys_for_room, delete_backup_keys_for_session};

use super::body::changed;
use crate::{Authed, JsonReply, MatrixError};

/// `DELETE /_matrix/client/v3/room_keys/keys`
pub async fn all(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<delete_backup_keys::v3::Request>,
) -> Result<JsonReply, MatrixError> {
    Ok(changed(&backups.remove(&user, &req.version, &Scope::All).await?))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}`
pub async fn room(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<delete_backup_keys_for_room::v3::Request>,
) -> Result<JsonReply, MatrixError> {
    let scope = Scope::Room(req.room_id.to_string());
    Ok(changed(&backups.remove(&user, &req.version, &scope).await?))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
pub async fn session(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<delete_backup_keys_for_session::v3::Request>,
) -> Result<JsonReply, MatrixError> {
    let scope = Scope::Session(req.room_id.to_string(), req.session_id);
    Ok(changed(&backups.remove(&user, &req.version, &scope).await?))
}
