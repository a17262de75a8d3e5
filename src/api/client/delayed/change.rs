use axum::extract::State;
use room::{DelayedAction, Rooms};
use ruma::api::client::delayed_events::update_delayed_event::{
    UpdateAction,
    unstable_v2::{Request, Response},
};

use crate::{MatrixError, Public, Reply};

/// `POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/{action}`
///
/// The id is the secret that allows it.
pub async fn change(
    State(rooms): State<Rooms>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let action = action(&req.action).ok_or_else(MatrixError::unrecognized)?;
    rooms.change_delayed(&req.delay_id, action).await?;
    Ok(Reply(Response::new()))
}

pub(super) fn action(action: &UpdateAction) -> Option<DelayedAction> {
    match action {
        UpdateAction::Restart => Some(DelayedAction::Restart),
        UpdateAction::Send => Some(DelayedAction::Send),
        UpdateAction::Cancel => Some(DelayedAction::Cancel),
        _ => None,
    }
}
