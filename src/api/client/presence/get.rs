use std::time::Duration;

use axum::extract::State;
use ephemeral::{Presence, PresenceState};
use room::Rooms;
use ruma::{
    api::client::presence::get_presence::v3::{Request, Response},
    presence,
};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/presence/{userId}/status`
pub async fn get(
    State(presence): State<Presence>,
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    if user != req.user_id && !rooms.share_a_room(&rooms.db().view(), &user, &req.user_id).await? {
        return Err(MatrixError::forbidden("you share no room with this user"));
    }
    let status = presence.now(&req.user_id).await?;
    let mut response = Response::new(match status.state {
        PresenceState::Online => presence::PresenceState::Online,
        PresenceState::Unavailable => presence::PresenceState::Unavailable,
        PresenceState::Offline => presence::PresenceState::Offline,
    });
    response.status_msg = status.status;
    response.currently_active = Some(status.currently_active);
    response.last_active_ago = status.active_ago.map(Duration::from_millis);
    Ok(Reply(response))
}
