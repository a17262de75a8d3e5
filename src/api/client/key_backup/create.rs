use axum::extract::State;
use e2ee::Backups;
use serde_json::{Value, json};

use super::body::Encryption;
use crate::{Caller, JsonBody, JsonReply, MatrixError};

/// `POST /_matrix/client/v3/room_keys/version`
pub async fn create(
    State(backups): State<Backups>,
    Caller { user, .. }: Caller,
    JsonBody(body): JsonBody<Encryption>,
) -> Result<JsonReply, MatrixError> {
    let auth_data = Value::Object(body.auth_data).to_string();
    let version = backups.create(&user, &body.algorithm, &auth_data).await?;
    Ok(JsonReply(json!({ "version": version })))
}
