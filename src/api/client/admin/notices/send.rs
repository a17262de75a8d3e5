use axum::extract::State;
use flows::Flows;
use serde_json::{Value, json};

use super::read;
use crate::{Caller, JsonBody, JsonReply, MatrixError};

/// `POST /_synapse/admin/v1/send_server_notice`
pub async fn send(
    State(flows): State<Flows>,
    caller: Caller,
    JsonBody(body): JsonBody<Value>,
) -> Result<JsonReply, MatrixError> {
    let (to, draft) = read(&caller, &body)?;
    let event_id = flows.send_notice(&to, draft, None).await?;
    Ok(JsonReply(json!({ "event_id": event_id })))
}
