use axum::extract::State;
use ephemeral::{Presence, PresenceState};
use ruma::{
    api::client::presence::set_presence::v3::{Request, Response},
    presence,
};

use crate::{Authed, MatrixError, Reply, client::own::own};

/// Longest status message, in bytes: everybody in the user's rooms is told of it.
const MAX_STATUS: usize = 2048;

/// `PUT /_matrix/client/v3/presence/{userId}/status`
pub async fn set(
    State(presence): State<Presence>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    own(&user, &req.user_id)?;
    if req.status_msg.as_ref().is_some_and(|status| status.len() > MAX_STATUS) {
        return Err(MatrixError::invalid_param(format!("status_msg has at most {MAX_STATUS} bytes")));
    }
    let state = match req.presence {
        presence::PresenceState::Online => PresenceState::Online,
        presence::PresenceState::Unavailable => PresenceState::Unavailable,
        presence::PresenceState::Offline => PresenceState::Offline,
        _ => return Err(MatrixError::invalid_param("presence is online, unavailable or offline")),
    };
    presence.set(&user, state, req.status_msg).await?;
    Ok(Reply(Response::new()))
}
