use account::Accounts;
use axum::extract::State;
use ruma::api::client::device::get_device::v3::{Request, Response};

use super::shown;
use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/devices/{deviceId}`
pub async fn get(
    State(accounts): State<Accounts>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let device = accounts.device(&user, &req.device_id).await?;
    Ok(Reply(Response::new(shown(device))))
}
