use account::Accounts;
use axum::extract::State;
use ruma::api::client::account::get_username_availability::v3::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// `GET /_matrix/client/v3/register/available`
pub async fn available(
    State(accounts): State<Accounts>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    accounts.check_name(&req.username).await?;
    Ok(Reply(Response::new(true)))
}
