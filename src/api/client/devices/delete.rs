use account::Accounts;
use axum::extract::State;
use ruma::{OwnedDeviceId, api::client::device::delete_device::v3::Response};

use crate::{
    Caller, JsonBody, MatrixError, PathArgs, Reply,
    client::auth::{Confirm, OnlyAuth},
};

/// `DELETE /_matrix/client/v3/devices/{deviceId}`
pub async fn delete(
    State(accounts): State<Accounts>,
    confirm: Confirm,
    Caller { user, appservice, .. }: Caller,
    PathArgs(device): PathArgs<OwnedDeviceId>,
    JsonBody(body): JsonBody<OnlyAuth>,
) -> Result<Reply<Response>, MatrixError> {
    if appservice.is_none() {
        confirm.by_password("delete device", &user, device.as_str().as_bytes(), body.data()).await?;
    }
    accounts.remove_devices(&user, &[device]).await?;
    Ok(Reply(Response::new()))
}
