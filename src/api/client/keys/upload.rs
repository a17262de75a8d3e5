use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::{DeviceUpload, Keys};
use ruma::CanonicalJsonObject;
use serde::Deserialize;
use serde_json::json;

use crate::{Caller, JsonBody, JsonReply, MatrixError, client::own};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    device_keys: Option<CanonicalJsonObject>,
    #[serde(default)]
    one_time_keys: BTreeMap<String, CanonicalJsonObject>,
    #[serde(default)]
    fallback_keys: BTreeMap<String, CanonicalJsonObject>,
}

/// `POST /_matrix/client/v3/keys/upload`
pub async fn upload(
    State(keys): State<Keys>,
    Caller { user, device, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<JsonReply, MatrixError> {
    let Body { device_keys, one_time_keys: one_time, fallback_keys: fallback } = body;
    let device = own::device(device)?;
    let counts = keys.upload(&user, &device, &DeviceUpload { device_keys, one_time, fallback }).await?;
    Ok(JsonReply(json!({ "one_time_key_counts": counts.one_time })))
}
