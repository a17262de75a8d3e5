use axum::extract::State;
use e2ee::{CrossSigningUpload, E2eeError, Keys};
use ruma::{CanonicalJsonObject, api::client::keys::upload_signing_keys::v3::Response};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Caller, JsonBody, MatrixError, Reply,
    client::auth::{Confirm, OnlyAuth},
};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    master_key: Option<CanonicalJsonObject>,
    self_signing_key: Option<CanonicalJsonObject>,
    user_signing_key: Option<CanonicalJsonObject>,
    #[serde(flatten)]
    auth: OnlyAuth,
}

/// `POST /_matrix/client/v3/keys/device_signing/upload`
pub async fn upload_signing(
    State(keys): State<Keys>,
    confirm: Confirm,
    Caller { user, appservice, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<Reply<Response>, MatrixError> {
    let Body { master_key: master, self_signing_key: self_signing, user_signing_key: user_signing, auth } = body;
    let upload = CrossSigningUpload { master, self_signing, user_signing };
    match keys.upload_cross_signing(&user, &upload, appservice.is_some()).await {
        Err(E2eeError::NotConfirmed) => {
            let bound = json!([upload.master, upload.self_signing, upload.user_signing]).to_string();
            confirm.by_password("cross-signing", &user, bound.as_bytes(), auth.data()).await?;
            keys.upload_cross_signing(&user, &upload, true).await?;
        }
        other => other?,
    }
    Ok(Reply(Response::new()))
}
