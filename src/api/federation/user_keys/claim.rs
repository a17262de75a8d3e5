use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::Keys;
use federation::devices::ClaimedKeys;
use ruma::api::federation::keys::claim_keys::v1::Request;

use crate::{MatrixError, RawReply, Signed};

/// `POST /_matrix/federation/v1/user/keys/claim`
pub async fn claim(State(keys): State<Keys>, Signed { req, .. }: Signed<Request>) -> Result<RawReply, MatrixError> {
    let mut wanted = Vec::new();
    for (user, devices) in req.one_time_keys {
        if keys.is_local(&user) {
            wanted.extend(devices.into_iter().map(|(device, algorithm)| (user.clone(), device, algorithm.to_string())));
        }
    }
    let mut claimed = ClaimedKeys::new();
    for key in keys.claim(&wanted).await? {
        claimed.entry(key.user).or_default().entry(key.device).or_default().insert(key.id, key.key);
    }
    let answer = BTreeMap::from([("one_time_keys", claimed)]);
    Ok(serde_json::to_vec(&answer).map_err(|error| MatrixError::internal(&error))?.into())
}
