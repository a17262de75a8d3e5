use axum::extract::State;
use room::Rooms;
use ruma::api::client::reporting::report_user::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/users/{userId}/report`
///
/// Answers the same for users who do not exist, so that nobody finds out by reporting.
pub async fn report_user(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rooms.report_user(&user, &req.user_id, &req.reason).await?;
    Ok(Reply(Response::new()))
}
