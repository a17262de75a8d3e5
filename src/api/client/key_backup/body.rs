//! How backups look in requests and answers.

use std::collections::BTreeMap;

use e2ee::{BackedUp, BackupInfo, BackupState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{JsonReply, MatrixError};

/// How the sessions of a backup are encrypted.
#[derive(Deserialize)]
pub struct Encryption {
    /// The algorithm.
    pub algorithm: String,
    /// What it needs.
    pub auth_data: Map<String, Value>,
}

/// The version of a backup in the query.
#[derive(Deserialize)]
pub struct InVersion {
    /// The version.
    pub version: String,
}

/// Sessions of a room.
#[derive(Deserialize)]
pub struct RoomSessions {
    /// By session id.
    pub sessions: BTreeMap<String, Session>,
}

/// The key of a session.
#[derive(Deserialize)]
pub struct Session {
    first_message_index: u64,
    forwarded_count: u64,
    is_verified: bool,
    session_data: Map<String, Value>,
}

impl From<Session> for BackedUp {
    fn from(session: Session) -> Self {
        Self {
            first_message_index: session.first_message_index,
            forwarded_count: session.forwarded_count,
            is_verified: session.is_verified,
            session_data: Value::Object(session.session_data).to_string(),
        }
    }
}

/// The key of a session as it is answered.
#[derive(Serialize)]
pub struct Shown<'a> {
    first_message_index: u64,
    forwarded_count: u64,
    is_verified: bool,
    session_data: &'a RawValue,
}

impl Shown<'_> {
    /// The JSON of `key`.
    ///
    /// # Errors
    /// When what is stored is not JSON.
    pub fn json(key: &BackedUp) -> Result<Vec<u8>, MatrixError> {
        let session_data = serde_json::from_str(&key.session_data).map_err(|error| MatrixError::internal(&error))?;
        let shown = Shown {
            first_message_index: key.first_message_index,
            forwarded_count: key.forwarded_count,
            is_verified: key.is_verified,
            session_data,
        };
        serde_json::to_vec(&shown).map_err(|error| MatrixError::internal(&error))
    }
}

/// Sessions to be stored.
pub fn stored(room: RoomSessions) -> BTreeMap<String, BackedUp> {
    room.sessions.into_iter().map(|(id, session)| (id, session.into())).collect()
}

/// What a change answers.
pub fn changed(state: &BackupState) -> JsonReply {
    JsonReply(json!({ "etag": state.etag, "count": state.count }))
}

/// What is told of a backup.
pub fn described(info: BackupInfo) -> Result<JsonReply, MatrixError> {
    let auth_data: Value = serde_json::from_str(&info.auth_data).map_err(|error| MatrixError::internal(&error))?;
    Ok(JsonReply(json!({
        "algorithm": info.algorithm,
        "auth_data": auth_data,
        "count": info.state.count,
        "etag": info.state.etag,
        "version": info.version,
    })))
}
