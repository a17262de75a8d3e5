use account::Accounts;
use axum::extract::State;
use ruma::api::federation::openid::get_openid_userinfo::v1::{Request, Response};

use crate::{MatrixError, Public, Reply, Routes};

/// The endpoint of this file, which is served beside the client API as well.
pub fn routes(routes: Routes) -> Routes {
    routes.add(openid_userinfo)
}

/// `GET /_matrix/federation/v1/openid/userinfo`
pub async fn openid_userinfo(
    State(accounts): State<Accounts>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    match accounts.openid_user(&req.access_token).await? {
        Some(user) => Ok(Reply(Response::new(user))),
        None => Err(MatrixError::unknown_token(false)),
    }
}
