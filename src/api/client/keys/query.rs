use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::Keys;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::Deserialize;
use serde_json::{Map, json};

use super::claim::unreachable;
use crate::{Caller, JsonBody, JsonReply, MatrixError};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    device_keys: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
}

/// `POST /_matrix/client/v3/keys/query`
pub async fn query(
    State(keys): State<Keys>,
    Caller { user: asker, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<JsonReply, MatrixError> {
    let [mut failures, mut devices, mut masters, mut self_signing, mut user_signing] = [(); 5].map(|()| Map::new());
    for (user, wanted) in &body.device_keys {
        if !keys.is_local(user) {
            failures.insert(user.server_name().to_string(), unreachable());
            continue;
        }
        let found = keys.query(&asker, user, wanted).await?;
        devices.insert(user.to_string(), json!(found.devices));
        let cross = [
            (&mut masters, found.master),
            (&mut self_signing, found.self_signing),
            (&mut user_signing, found.user_signing),
        ];
        for (all, key) in cross {
            all.extend(key.map(|key| (user.to_string(), json!(key))));
        }
    }
    Ok(JsonReply(json!({
        "failures": failures,
        "device_keys": devices,
        "master_keys": masters,
        "self_signing_keys": self_signing,
        "user_signing_keys": user_signing,
    })))
}
