use std::time::Duration;

use axum::extract::State;
use ephemeral::{Presence, PresenceState};
use room::{Membership, Rooms};
use ruma::{
    UserId,
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
    if user != req.user_id && !share_room(&rooms, &user, &req.user_id).await? {
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

async fn share_room(rooms: &Rooms, user: &UserId, other: &UserId) -> Result<bool, MatrixError> {
    let view = rooms.db().view();
    for (room, row) in rooms.user_rooms(&view, user).await? {
        if row.value.membership == Membership::Join && rooms.membership(&view, other, room).await? == Membership::Join {
            return Ok(true);
        }
    }
    Ok(false)
}
