use account::{Accounts, Operation, Uia, UiaFlow};
use axum::extract::State;
use ruma::{OwnedDeviceId, api::client::device::delete_device::v3::Response};

use crate::{Caller, JsonBody, MatrixError, PathArgs, Reply, client::auth::OnlyAuth};

/// `DELETE /_matrix/client/v3/devices/{deviceId}`
pub async fn delete(
    State(accounts): State<Accounts>,
    State(uia): State<Uia>,
    Caller { user, appservice, .. }: Caller,
    PathArgs(device): PathArgs<OwnedDeviceId>,
    JsonBody(body): JsonBody<OnlyAuth>,
) -> Result<Reply<Response>, MatrixError> {
    let operation = Operation::new("delete device", Some(user.clone()), device.as_str().as_bytes());
    if appservice.is_none() {
        uia.check(&operation, &UiaFlow::password(), body.data()).await?;
    }
    accounts.remove_devices(&user, &[device]).await?;
    Ok(Reply(Response::new()))
}
