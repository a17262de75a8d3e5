use axum::extract::State;
use room::{MemberProfile, Rooms};
use ruma::api::client::membership::joined_members::v3::Request;
use serde_json::{Map, Value, json};

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/rooms/{roomId}/joined_members`
pub async fn joined_members(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let view = rooms.db().view();
    let room = rooms.num_of_joined(&view, &user, &req.room_id).await?;
    let members = rooms.joined_profiles(&view, room).await?;
    let joined: Map<_, _> = members.into_iter().map(|(user, profile)| (user.to_string(), shown(&profile))).collect();
    Ok(JsonReply(json!({ "joined": joined })))
}

/// Name and picture as this endpoint names them; members without are named too.
fn shown(profile: &MemberProfile) -> Value {
    json!({ "display_name": profile.displayname, "avatar_url": profile.avatar_url })
}
