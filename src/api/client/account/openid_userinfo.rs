use account::Accounts;
use axum::extract::State;
use ruma::api::federation::openid::get_openid_userinfo::v1::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// `GET /_matrix/federation/v1/openid/userinfo`
///
/// Served beside the client API because widgets and calls need it where federation is off, too.
pub async fn openid_userinfo(
    State(accounts): State<Accounts>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    match accounts.openid_user(&req.access_token).await? {
        Some(user) => Ok(Reply(Response::new(user))),
        None => Err(MatrixError::unknown_token(false)),
    }
}
