use std::collections::BTreeMap;

use axum::extract::State;
use e2ee::{Failure, Keys};
use ruma::{CanonicalJsonObject, OwnedUserId};
use serde_json::{Map, Value, json};

use crate::{Caller, JsonBody, JsonReply, MatrixError};

/// What a client sends: signed keys by user and by device id or public key.
type Body = BTreeMap<OwnedUserId, BTreeMap<String, CanonicalJsonObject>>;

/// `POST /_matrix/client/v3/keys/signatures/upload`
pub async fn sign(
    State(keys): State<Keys>,
    Caller { user: signer, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<JsonReply, MatrixError> {
    let mut failures = Map::new();
    for (user, targets) in &body {
        let mut failed = Map::new();
        for (target, signed) in targets {
            if let Err(failure) = keys.add_signatures(&signer, user, target, signed).await? {
                let answer = json!({ "errcode": errcode(failure), "error": failure.to_string() });
                failed.insert(target.clone(), answer);
            }
        }
        if !failed.is_empty() {
            failures.insert(user.to_string(), Value::Object(failed));
        }
    }
    Ok(JsonReply(json!({ "failures": failures })))
}

fn errcode(failure: Failure) -> &'static str {
    match failure {
        Failure::UnknownKey => "M_NOT_FOUND",
        Failure::OtherKey => "M_INVALID_PARAM",
        Failure::BadSignature => "M_INVALID_SIGNATURE",
    }
}
