use account::Accounts;
use axum::extract::State;
use ruma::api::client::admin::is_user_suspended::v1::{Request, Response};

use super::target;
use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v1/admin/suspend/{userId}`
pub async fn is_suspended(
    State(accounts): State<Accounts>,
    Authed { account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let target = target::read(&accounts, &account, &req.user_id).await?;
    Ok(Reply(Response::new(target.suspended)))
}
