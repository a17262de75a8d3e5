use std::collections::BTreeMap;

use axum::extract::State;
use federation::RemoteDevices;
use ruma::{OwnedDeviceId, OwnedUserId, api::federation::keys::get_keys::v1::Request};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{MatrixError, RawReply, Signed};

/// What is answered.
#[derive(Default, Serialize)]
struct Answer {
    device_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, Box<RawValue>>>,
    master_keys: BTreeMap<OwnedUserId, Box<RawValue>>,
    self_signing_keys: BTreeMap<OwnedUserId, Box<RawValue>>,
}

/// `POST /_matrix/federation/v1/user/keys/query`
pub async fn query(
    State(devices): State<RemoteDevices>,
    Signed { req, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let mut answer = Answer::default();
    for (user, keys) in devices.told(&req.device_keys).await? {
        answer.master_keys.extend(keys.master.map(|key| (user.clone(), key)));
        answer.self_signing_keys.extend(keys.self_signing.map(|key| (user.clone(), key)));
        answer.device_keys.insert(user, keys.devices);
    }
    Ok(serde_json::to_vec(&answer).map_err(|error| MatrixError::internal(&error))?.into())
}
