use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::Keys;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{Caller, JsonBody, MatrixError, RawReply};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    one_time_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, String>>,
}

/// What is answered: keys by user, device and id.
#[derive(Serialize)]
struct Answer {
    failures: Map<String, Value>,
    one_time_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, BTreeMap<String, Box<RawValue>>>>,
}

/// `POST /_matrix/client/v3/keys/claim`
pub async fn claim(
    State(keys): State<Keys>,
    _: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<RawReply, MatrixError> {
    let mut answer = Answer { failures: Map::new(), one_time_keys: BTreeMap::new() };
    let mut wanted = Vec::new();
    for (user, devices) in body.one_time_keys {
        if keys.is_local(&user) {
            wanted.extend(devices.into_iter().map(|(device, algorithm)| (user.clone(), device, algorithm)));
        } else {
            answer.failures.insert(user.server_name().to_string(), unreachable());
        }
    }
    for key in keys.claim(&wanted).await? {
        let devices = answer.one_time_keys.entry(key.user).or_default();
        devices.entry(key.device).or_default().insert(key.id, key.key);
    }
    Ok(serde_json::to_vec(&answer).map_err(|error| MatrixError::internal(&error))?.into())
}

/// What is said of a server that cannot be asked.
pub fn unreachable() -> Value {
    json!({ "errcode": "M_UNKNOWN", "error": "this server does not federate yet" })
}
