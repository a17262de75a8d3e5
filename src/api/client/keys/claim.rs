use std::collections::BTreeMap;

use axum::extract::State;
use federation::{Claims, RemoteDevices, devices::ClaimedKeys};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::remote::{Patience, failures};
use crate::{Caller, Class, JsonBody, MatrixError, RateLimits, RawReply, limits::Key};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    one_time_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, String>>,
    #[serde(flatten)]
    patience: Patience,
}

/// What is answered.
#[derive(Serialize)]
struct Answer {
    failures: Map<String, Value>,
    one_time_keys: ClaimedKeys,
}

/// `POST /_matrix/client/v3/keys/claim`
pub async fn claim(
    State(devices): State<RemoteDevices>,
    State(limits): State<RateLimits>,
    Caller { user: asker, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<RawReply, MatrixError> {
    if body.one_time_keys.keys().any(|user| user.server_name() != asker.server_name()) {
        limits.take(Class::Lookup, Key::user(&asker))?;
    }
    let Claims { keys, failures: failed } = devices.claim(body.one_time_keys, body.patience.limit()).await?;
    let answer = Answer { failures: failures(failed), one_time_keys: keys };
    Ok(serde_json::to_vec(&answer).map_err(|error| MatrixError::internal(&error))?.into())
}
