use std::time::Duration;

use account::{Accounts, Operation, Uia, UiaFlow};
use axum::extract::State;
use ruma::api::client::session::get_login_token::v1::Response;

use crate::{Caller, JsonBody, MatrixError, Reply, client::auth::OnlyAuth};

/// `POST /_matrix/client/v1/login/get_token`
pub async fn login_token(
    State(accounts): State<Accounts>,
    State(uia): State<Uia>,
    Caller { user, .. }: Caller,
    JsonBody(body): JsonBody<OnlyAuth>,
) -> Result<Reply<Response>, MatrixError> {
    let operation = Operation::new("login token", Some(user.clone()), b"");
    uia.check(&operation, &UiaFlow::password(), body.data()).await?;
    let (token, expires_in_ms) = accounts.login_token(&user).await?;
    Ok(Reply(Response::new(Duration::from_millis(expires_in_ms), token)))
}
