use axum::extract::State;
use e2ee::Dehydrated;
use serde_json::{Value, json};

use crate::{Caller, JsonReply, MatrixError};

/// `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
pub async fn get(State(dehydrated): State<Dehydrated>, Caller { user, .. }: Caller) -> Result<JsonReply, MatrixError> {
    let row = dehydrated.of(&user).await?;
    let data: Value = serde_json::from_str(&row.data).map_err(|error| MatrixError::internal(&error))?;
    Ok(JsonReply(json!({ "device_id": row.device, "device_data": data })))
}
