use axum::extract::State;
use room::Rooms;
use ruma::api::client::delayed_events::get_delayed_event::unstable::Request;

use super::shown;
use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}`
pub async fn get(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let row = rooms.delayed(&rooms.db().view(), &user, &req.delay_id).await?;
    Ok(JsonReply(shown(&req.delay_id, &row)))
}
