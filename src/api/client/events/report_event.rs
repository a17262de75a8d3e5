use axum::extract::State;
use room::Rooms;
use ruma::api::client::room::report_content::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}`
pub async fn report_event(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let reason = req.reason.unwrap_or_default();
    rooms.report_event(&user, &req.room_id, &req.event_id, &reason).await?;
    Ok(Reply(Response::new()))
}
