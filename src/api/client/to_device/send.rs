use std::collections::BTreeMap;

use axum::extract::State;
use federation::RemoteDevices;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{Caller, JsonBody, JsonReply, MatrixError, PathArgs, client::own::no_device};

/// What a client sends: contents by user and device.
#[derive(Deserialize)]
pub struct Body {
    messages: BTreeMap<OwnedUserId, BTreeMap<String, Map<String, Value>>>,
}

/// `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`
pub async fn send(
    State(devices): State<RemoteDevices>,
    Caller { user, device, .. }: Caller,
    PathArgs((kind, transaction)): PathArgs<(String, String)>,
    JsonBody(body): JsonBody<Body>,
) -> Result<JsonReply, MatrixError> {
    let text = |(device, content)| (device, Value::Object(content).to_string());
    let texts = |(user, devices): (_, BTreeMap<_, _>)| (user, devices.into_iter().map(text).collect());
    let targets = body.messages.into_iter().map(texts).collect();
    let device = device.unwrap_or_else(no_device);
    devices.send_to_devices((&user, &device), &kind, &transaction, &targets).await?;
    Ok(JsonReply(json!({})))
}
