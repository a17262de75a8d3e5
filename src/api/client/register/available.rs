use account::Accounts;
use appservice::Appservices;
use axum::extract::State;
use ruma::api::client::account::get_username_availability::v3::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// `GET /_matrix/client/v3/register/available`
pub async fn available(
    State(accounts): State<Accounts>,
    State(appservices): State<Appservices>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let user = accounts.check_name(&req.username).await?;
    appservices.check_new_user(None, &user)?;
    Ok(Reply(Response::new(true)))
}
