use account::Accounts;
use axum::extract::State;
use ruma::api::client::session::logout::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/logout`
pub async fn logout(
    State(accounts): State<Accounts>,
    Authed { user, device, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    // An application service without a device has nothing to log out.
    accounts.remove_devices(&user, device.as_slice()).await?;
    Ok(Reply(Response::new()))
}
