use axum::extract::State;
use push::Pushers;
use ruma::api::client::push::get_pushers::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/pushers`
pub async fn list(
    State(pushers): State<Pushers>,
    Authed { user, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    Ok(Reply(Response::new(pushers.of(&user).await?)))
}
