//! `GET` of a backup's sessions: all, those of a room, one.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use e2ee::{Backups, E2eeError, Scope};
use ruma::api::client::backup::{get_backup_keys, get_backup_keys_for_room, get_backup_keys_for_session};

use super::{body::Shown, written::written};
use crate::{Authed, MatrixError, RawReply};

/// `GET /_matrix/client/v3/room_keys/keys`
pub async fn all(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<get_backup_keys::v3::Request>,
) -> Result<Response, MatrixError> {
    Ok(written(backups.sessions(&user, &req.version, &Scope::All).await?, true))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}`
pub async fn room(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<get_backup_keys_for_room::v3::Request>,
) -> Result<Response, MatrixError> {
    let scope = Scope::Room(req.room_id.to_string());
    Ok(written(backups.sessions(&user, &req.version, &scope).await?, false))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
pub async fn session(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<get_backup_keys_for_session::v3::Request>,
) -> Result<Response, MatrixError> {
    let scope = Scope::Session(req.room_id.to_string(), req.session_id);
    let found = backups.sessions(&user, &req.version, &scope).await?.next().await?.pop();
    let (_, _, session) = found.ok_or(E2eeError::UnknownSession)?;
    Ok(RawReply::from(Shown::json(&session)?).into_response())
}
