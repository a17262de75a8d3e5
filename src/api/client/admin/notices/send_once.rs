use axum::extract::State;
use flows::Flows;
use ruma::OwnedTransactionId;
use serde_json::{Value, json};

use super::read;
use crate::{Caller, JsonBody, JsonReply, MatrixError, PathArgs, client::own::once};

/// `PUT /_synapse/admin/v1/send_server_notice/{txnId}`
pub async fn send_once(
    State(flows): State<Flows>,
    caller: Caller,
    PathArgs(id): PathArgs<OwnedTransactionId>,
    JsonBody(body): JsonBody<Value>,
) -> Result<JsonReply, MatrixError> {
    let (to, draft) = read(&caller, &body)?;
    let once = once(caller.device, id);
    let event_id = flows.send_notice(&to, draft, once).await?;
    Ok(JsonReply(json!({ "event_id": event_id })))
}
