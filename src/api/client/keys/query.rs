use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::Keys;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::claim::unreachable;
use crate::{Caller, JsonBody, MatrixError, RawReply};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    device_keys: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
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
    State(keys): State<Keys>,
    Caller { user: asker, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<RawReply, MatrixError> {
    let mut answer = Answer::default();
    for (user, wanted) in body.device_keys {
        if !keys.is_local(&user) {
            answer.failures.insert(user.server_name().to_string(), unreachable());
            continue;
        }
        let found = keys.query(Some(&asker), &user, &wanted).await?;
        answer.master_keys.extend(found.master.map(|key| (user.clone(), key)));
        answer.self_signing_keys.extend(found.self_signing.map(|key| (user.clone(), key)));
        answer.user_signing_keys.extend(found.user_signing.map(|key| (user.clone(), key)));
        answer.device_keys.insert(user, found.devices);
    }
    Ok(serde_json::to_vec(&answer).map_err(|error| MatrixError::internal(&error))?.into())
}
