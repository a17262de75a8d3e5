use axum::extract::State;
use ephemeral::{Presence, Typing};
use room::Rooms;
use ruma::{OwnedRoomId, OwnedUserId, api::client::typing::create_typing_event::v3::Response};
use serde::Deserialize;

use crate::{Caller, JsonBody, MatrixError, PathArgs, Reply, client::own::own};

/// How long a user types who does not say it, in milliseconds.
const DEFAULT: u64 = 30_000;

/// Whether and how long; ruma's type does not let the time be left out.
#[derive(Debug, Deserialize)]
pub struct Body {
    typing: bool,
    timeout: Option<u64>,
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`
pub async fn set(
    State(typing): State<Typing>,
    State(rooms): State<Rooms>,
    State(presence): State<Presence>,
    caller: Caller,
    PathArgs((room, user)): PathArgs<(OwnedRoomId, OwnedUserId)>,
    JsonBody(body): JsonBody<Body>,
) -> Result<Reply<Response>, MatrixError> {
    own(&caller.user, &user)?;
    let room = rooms.num_of_joined(&rooms.db().view(), &user, &room).await?;
    let timeout = body.typing.then(|| body.timeout.unwrap_or(DEFAULT));
    typing.set(room, &user, timeout).await?;
    presence.active(&user).await?;
    Ok(Reply(Response::new()))
}
