use account::Accounts;
use axum::extract::State;
use ruma::api::client::account::check_registration_token_validity::v1::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// `GET /_matrix/client/v1/register/m.login.registration_token/validity`
pub async fn token_validity(
    State(accounts): State<Accounts>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    Ok(Reply(Response::new(accounts.is_valid_token(&req.token).await?)))
}
