use axum::extract::State;
use flows::Flows;
use ruma::api::client::account::{ThirdPartyIdRemovalStatus, deactivate::v3::Response};
use serde::Deserialize;

use crate::{
    Caller, JsonBody, MatrixError, Reply,
    client::auth::{Confirm, OnlyAuth},
};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    #[serde(default)]
    erase: bool,
    #[serde(flatten)]
    auth: OnlyAuth,
}

/// `POST /_matrix/client/v3/account/deactivate`
pub async fn deactivate(
    State(flows): State<Flows>,
    confirm: Confirm,
    Caller { user, appservice, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<Reply<Response>, MatrixError> {
    if appservice.is_none() {
        confirm.by_password("deactivate", &user, &[u8::from(body.erase)], body.auth.data()).await?;
    }
    flows.deactivate(&user, body.erase).await?;
    Ok(Reply(Response::new(ThirdPartyIdRemovalStatus::Success)))
}
