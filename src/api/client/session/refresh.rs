use std::time::Duration;

use account::Accounts;
use axum::extract::State;
use ruma::api::client::session::refresh_token::v3::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// `POST /_matrix/client/v3/refresh`
pub async fn refresh(
    State(accounts): State<Accounts>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let issued = accounts.refresh(&req.refresh_token).await?;
    let mut response = Response::new(issued.access_token);
    response.refresh_token = issued.refresh_token;
    response.expires_in_ms = issued.expires_in_ms.map(Duration::from_millis);
    Ok(Reply(response))
}
