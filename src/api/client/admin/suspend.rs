use account::Accounts;
use axum::extract::State;
use ruma::api::client::admin::suspend_user::v1::{Request, Response};

use super::target;
use crate::{Authed, MatrixError, Reply};

/// `PUT /_matrix/client/v1/admin/suspend/{userId}`
pub async fn suspend(
    State(accounts): State<Accounts>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    target::change(&accounts, &user, &account, &req.user_id).await?;
    let row = accounts.update(&req.user_id, |row| row.suspended = req.suspended).await?;
    Ok(Reply(Response::new(row.suspended)))
}
