use axum::extract::State;
use e2ee::Backups;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Encryption;
use crate::{Caller, JsonBody, JsonReply, MatrixError, PathArgs};

/// What a client sends; a version, if it is there, is that of the path.
#[derive(Deserialize)]
pub struct Body {
    version: Option<String>,
    #[serde(flatten)]
    encryption: Encryption,
}

/// `PUT /_matrix/client/v3/room_keys/version/{version}`
pub async fn update(
    State(backups): State<Backups>,
    Caller { user, .. }: Caller,
    PathArgs(version): PathArgs<String>,
    JsonBody(body): JsonBody<Body>,
) -> Result<JsonReply, MatrixError> {
    if body.version.is_some_and(|named| named != version) {
        return Err(MatrixError::invalid_param("the body names another version than the path"));
    }
    let auth_data = Value::Object(body.encryption.auth_data).to_string();
    backups.update(&user, &version, &body.encryption.algorithm, &auth_data).await?;
    Ok(JsonReply(json!({})))
}
