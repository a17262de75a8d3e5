use axum::extract::State;
use room::Rooms;
use ruma::api::client::delayed_events::update_delayed_event::unstable_v1::{Request, Response};

use super::change::action;
use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}`
///
/// As clients did before the action was a part of the path.
pub async fn cancel_or_send(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let action = action(&req.action)
        .ok_or_else(|| MatrixError::invalid_param("action must be \"restart\", \"send\" or \"cancel\""))?;
    rooms.delayed(&rooms.db().view(), &user, &req.delay_id).await?;
    rooms.change_delayed(&req.delay_id, action).await?;
    Ok(Reply(Response::new()))
}
