use axum::extract::State;
use e2ee::Dehydrated;
use serde_json::json;

use crate::{Caller, JsonReply, MatrixError};

/// `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
pub async fn delete(
    State(dehydrated): State<Dehydrated>,
    Caller { user, .. }: Caller,
) -> Result<JsonReply, MatrixError> {
    let device = dehydrated.remove(&user).await?;
    Ok(JsonReply(json!({ "device_id": device })))
}
