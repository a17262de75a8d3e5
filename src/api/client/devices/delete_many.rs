use account::Accounts;
use axum::extract::State;
use ruma::{OwnedDeviceId, api::client::device::delete_devices::v3::Response};
use serde::Deserialize;

use crate::{
    Caller, JsonBody, MatrixError, Reply,
    client::auth::{Confirm, OnlyAuth},
};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    devices: Vec<OwnedDeviceId>,
    #[serde(flatten)]
    auth: OnlyAuth,
}

/// `POST /_matrix/client/v3/delete_devices`
pub async fn delete_many(
    State(accounts): State<Accounts>,
    confirm: Confirm,
    Caller { user, appservice, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<Reply<Response>, MatrixError> {
    if appservice.is_none() {
        let devices: Vec<_> = body.devices.iter().map(|device| device.as_str()).collect();
        confirm.by_password("delete devices", &user, devices.join("\0").as_bytes(), body.auth.data()).await?;
    }
    accounts.remove_devices(&user, &body.devices).await?;
    Ok(Reply(Response::new()))
}
