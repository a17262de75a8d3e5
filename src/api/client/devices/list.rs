use account::Accounts;
use axum::extract::State;
use ruma::api::client::device::get_devices::v3::{Request, Response};

use super::shown;
use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/devices`
pub async fn list(
    State(accounts): State<Accounts>,
    Authed { user, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let devices = accounts.devices(&user).await?;
    Ok(Reply(Response::new(devices.into_iter().map(shown).collect())))
}
