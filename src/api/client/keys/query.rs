use std::collections::BTreeMap;

use axum::extract::State;
use federation::{KeyAnswers, RemoteDevices, devices::Wanted};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::remote::{Patience, failures};
use crate::{Caller, Class, JsonBody, MatrixError, RateLimits, RawReply, limits::Key};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    device_keys: Wanted,
    #[serde(flatten)]
    patience: Patience,
}

/// Keys by user.
type ByUser<T> = BTreeMap<OwnedUserId, T>;

/// What is answered.
#[derive(Default, Serialize)]
struct Answer {
    failures: Map<String, Value>,
    device_keys: ByUser<BTreeMap<OwnedDeviceId, Box<RawValue>>>,
    master_keys: ByUser<Box<RawValue>>,
    self_signing_keys: ByUser<Box<RawValue>>,
    user_signing_keys: ByUser<Box<RawValue>>,
}

/// `POST /_matrix/client/v3/keys/query`
pub async fn query(
    State(devices): State<RemoteDevices>,
    State(limits): State<RateLimits>,
    Caller { user: asker, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<RawReply, MatrixError> {
    if body.device_keys.keys().any(|user| user.server_name() != asker.server_name()) {
        limits.take(Class::Lookup, Key::user(&asker))?;
    }
    let KeyAnswers { found, failures: failed } =
        devices.query(&asker, &body.device_keys, body.patience.limit()).await?;
    let mut answer = Answer { failures: failures(failed), ..Answer::default() };
    for (user, keys) in found {
        answer.master_keys.extend(keys.master.map(|key| (user.clone(), key)));
        answer.self_signing_keys.extend(keys.self_signing.map(|key| (user.clone(), key)));
        answer.user_signing_keys.extend(keys.user_signing.map(|key| (user.clone(), key)));
        answer.device_keys.insert(user, keys.devices);
    }
    Ok(serde_json::to_vec(&answer).map_err(|error| MatrixError::internal(&error))?.into())
}
