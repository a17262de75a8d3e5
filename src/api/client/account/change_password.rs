use account::Accounts;
use axum::extract::State;
use ruma::api::client::account::change_password::v3::Response;
use serde::Deserialize;

use crate::{
    Caller, JsonBody, MatrixError, Reply,
    client::auth::{Confirm, OnlyAuth},
};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    new_password: String,
    logout_devices: Option<bool>,
    #[serde(flatten)]
    auth: OnlyAuth,
}

/// `POST /_matrix/client/v3/account/password`
///
/// Without a token an address or phone number would have to prove who asks; this server knows none.
pub async fn change_password(
    State(accounts): State<Accounts>,
    confirm: Confirm,
    Caller { user, device, .. }: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Result<Reply<Response>, MatrixError> {
    confirm.by_password("change password", &user, body.new_password.as_bytes(), body.auth.data()).await?;
    let log_out = body.logout_devices.unwrap_or(true);
    accounts.set_password(&user, &body.new_password, log_out, device.as_deref()).await?;
    Ok(Reply(Response::new()))
}
