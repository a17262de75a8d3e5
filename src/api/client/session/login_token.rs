use std::time::Duration;

use account::Accounts;
use axum::extract::State;
use ruma::api::client::session::get_login_token::v1::Response;

use crate::{
    Caller, JsonBody, MatrixError, Reply,
    client::auth::{Confirm, OnlyAuth},
};

/// `POST /_matrix/client/v1/login/get_token`
pub async fn login_token(
    State(accounts): State<Accounts>,
    confirm: Confirm,
    Caller { user, .. }: Caller,
    JsonBody(body): JsonBody<OnlyAuth>,
) -> Result<Reply<Response>, MatrixError> {
    confirm.by_password("login token", &user, b"", body.data()).await?;
    let (token, expires_in_ms) = accounts.login_token(&user).await?;
    Ok(Reply(Response::new(Duration::from_millis(expires_in_ms), token)))
}
