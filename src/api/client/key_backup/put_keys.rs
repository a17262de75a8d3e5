//! `PUT` of a backup's sessions: all, those of a room, one.

use std::collections::BTreeMap;

use axum::extract::{Query, State, rejection::QueryRejection};
use e2ee::{BackedUp, Backups};
use ruma::UserId;
use serde::Deserialize;

use super::body::{InVersion, RoomSessions, Session, changed, stored};
use crate::{Caller, JsonBody, JsonReply, MatrixError, PathArgs};

/// What a client sends.
#[derive(Deserialize)]
pub struct Rooms {
    rooms: BTreeMap<String, RoomSessions>,
}

/// The version, or that it is missing.
type Version = Result<Query<InVersion>, QueryRejection>;

/// `PUT /_matrix/client/v3/room_keys/keys`
pub async fn all(
    State(backups): State<Backups>,
    Caller { user, .. }: Caller,
    version: Version,
    JsonBody(body): JsonBody<Rooms>,
) -> Result<JsonReply, MatrixError> {
    let sessions = body.rooms.into_iter().map(|(room, sessions)| (room, stored(sessions))).collect();
    put(&backups, &user, version, &sessions).await
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}`
pub async fn room(
    State(backups): State<Backups>,
    Caller { user, .. }: Caller,
    PathArgs(room): PathArgs<String>,
    version: Version,
    JsonBody(body): JsonBody<RoomSessions>,
) -> Result<JsonReply, MatrixError> {
    put(&backups, &user, version, &BTreeMap::from([(room, stored(body))])).await
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
pub async fn session(
    State(backups): State<Backups>,
    Caller { user, .. }: Caller,
    PathArgs((room, id)): PathArgs<(String, String)>,
    version: Version,
    JsonBody(body): JsonBody<Session>,
) -> Result<JsonReply, MatrixError> {
    let sessions = BTreeMap::from([(room, BTreeMap::from([(id, body.into())]))]);
    put(&backups, &user, version, &sessions).await
}

async fn put(
    backups: &Backups,
    user: &UserId,
    version: Version,
    sessions: &BTreeMap<String, BTreeMap<String, BackedUp>>,
) -> Result<JsonReply, MatrixError> {
    let Query(InVersion { version }) = version.map_err(|_| MatrixError::missing_param("version is missing"))?;
    Ok(changed(&backups.put(user, &version, sessions).await?))
}
