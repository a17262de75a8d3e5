use account::Accounts;
use axum::extract::State;
use ruma::api::client::device::update_device::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `PUT /_matrix/client/v3/devices/{deviceId}`
pub async fn update(
    State(accounts): State<Accounts>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    accounts.rename_device(&user, &req.device_id, req.display_name.as_deref()).await?;
    Ok(Reply(Response::new()))
}
