use account::Accounts;
use axum::extract::State;
use ruma::api::client::session::logout_all::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/logout/all`
pub async fn logout_all(
    State(accounts): State<Accounts>,
    Authed { user, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    accounts.remove_all_devices(&user).await?;
    Ok(Reply(Response::new()))
}
