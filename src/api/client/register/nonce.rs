use account::Accounts;
use axum::extract::State;
use serde_json::json;

use crate::{JsonReply, MatrixError};

/// `GET /_synapse/admin/v1/register`
pub async fn nonce(State(accounts): State<Accounts>) -> Result<JsonReply, MatrixError> {
    Ok(JsonReply(json!({ "nonce": accounts.registration_nonce()? })))
}
