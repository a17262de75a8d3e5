use account::Accounts;
use axum::extract::State;
use ruma::api::client::admin::lock_user::v1::{Request, Response};

use super::target;
use crate::{Authed, MatrixError, Reply};

/// `PUT /_matrix/client/v1/admin/lock/{userId}`
pub async fn lock(
    State(accounts): State<Accounts>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    target::change(&accounts, &user, &account, &req.user_id).await?;
    let row = accounts.update(&req.user_id, |row| row.locked = req.locked).await?;
    Ok(Reply(Response::new(row.locked)))
}
