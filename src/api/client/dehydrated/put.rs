use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::{Dehydrated, DeviceUpload, NewDehydrated};
use ruma::{CanonicalJsonObject, OwnedDeviceId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{Caller, JsonBody, JsonReply, MatrixError};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    device_id: OwnedDeviceId,
    device_data: Map<String, Value>,
    initial_device_display_name: Option<String>,
    device_keys: CanonicalJsonObject,
    #[serde(default)]
    one_time_keys: BTreeMap<String, CanonicalJsonObject>,
    #[serde(default)]
    fallback_keys: BTreeMap<String, CanonicalJsonObject>,
}

/// `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`
pub async fn put(
    State(dehydrated): State<Dehydrated>,
    Caller { user, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<JsonReply, MatrixError> {
    let keys = DeviceUpload {
        device_keys: Some(body.device_keys),
        one_time: body.one_time_keys,
        fallback: body.fallback_keys,
    };
    let data = Value::Object(body.device_data).to_string();
    let new = NewDehydrated { device: body.device_id, data, display_name: body.initial_device_display_name, keys };
    dehydrated.put(&user, &new).await?;
    Ok(JsonReply(json!({ "device_id": new.device })))
}
