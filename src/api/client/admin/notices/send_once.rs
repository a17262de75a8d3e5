use axum::extract::State;
use flows::Flows;
use room::Once;
use ruma::OwnedTransactionId;
use serde_json::{Value, json};

use super::read;
use crate::{Caller, JsonBody, JsonReply, MatrixError, PathArgs};

/// `PUT /_synapse/admin/v1/send_server_notice/{txnId}`
pub async fn send_once(
    State(flows): State<Flows>,
    caller: Caller,
    PathArgs(id): PathArgs<OwnedTransactionId>,
    JsonBody(body): JsonBody<Value>,
) -> Result<JsonReply, MatrixError> {
    let (to, draft) = read(&caller, &body)?;
    let once = Once { device: caller.device, id };
    let event_id = flows.send_notice(&to, draft, Some(once)).await?;
    Ok(JsonReply(json!({ "event_id": event_id })))
}
