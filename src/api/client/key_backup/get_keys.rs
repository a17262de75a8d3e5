//! `GET` of a backup's sessions: all, those of a room, one.

use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::{Backups, E2eeError, Scope};
use ruma::api::client::backup::{get_backup_keys, get_backup_keys_for_room, get_backup_keys_for_session};
use serde::Serialize;

use super::body::{RoomSessions, Session, shown};
use crate::{Authed, MatrixError, RawReply};

/// All sessions of a backup.
#[derive(Serialize)]
struct Rooms {
    rooms: BTreeMap<String, RoomSessions>,
}

/// `GET /_matrix/client/v3/room_keys/keys`
pub async fn all(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<get_backup_keys::v3::Request>,
) -> Result<RawReply, MatrixError> {
    let found = backups.get(&user, &req.version, &Scope::All).await?.into_iter();
    let rooms = found.map(|(room, sessions)| Ok((room, shown(sessions)?))).collect::<Result<_, MatrixError>>()?;
    reply(&Rooms { rooms })
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}`
pub async fn room(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<get_backup_keys_for_room::v3::Request>,
) -> Result<RawReply, MatrixError> {
    let room = req.room_id.to_string();
    let mut found = backups.get(&user, &req.version, &Scope::Room(room.clone())).await?;
    reply(&shown(found.remove(&room).unwrap_or_default())?)
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
pub async fn session(
    State(backups): State<Backups>,
    Authed { user, req, .. }: Authed<get_backup_keys_for_session::v3::Request>,
) -> Result<RawReply, MatrixError> {
    let (room, id) = (req.room_id.to_string(), req.session_id);
    let mut found = backups.get(&user, &req.version, &Scope::Session(room.clone(), id.clone())).await?;
    let session = found.remove(&room).and_then(|mut sessions| sessions.remove(&id));
    reply(&Session::try_from(session.ok_or(E2eeError::UnknownSession)?)?)
}

fn reply(body: &impl Serialize) -> Result<RawReply, MatrixError> {
    Ok(serde_json::to_vec(body).map_err(|error| MatrixError::internal(&error))?.into())
}
