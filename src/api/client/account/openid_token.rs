use std::time::Duration;

use account::Accounts;
use axum::extract::State;
use ruma::{
    api::client::account::request_openid_token::v3::{Request, Response},
    authentication::TokenType,
};

use crate::{Authed, MatrixError, Reply, client::own::own};

/// `POST /_matrix/client/v3/user/{userId}/openid/request_token`
pub async fn openid_token(
    State(accounts): State<Accounts>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    own(&user, &req.user_id)?;
    let openid = accounts.openid_token(&user).await?;
    let server = accounts.server().to_owned();
    let expires_in = Duration::from_millis(openid.expires_in_ms);
    Ok(Reply(Response::new(openid.token, TokenType::Bearer, server, expires_in)))
}
