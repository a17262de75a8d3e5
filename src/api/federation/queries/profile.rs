use account::Profiles;
use axum::extract::State;
use room::Rooms;
use ruma::api::federation::query::get_profile_information::v1::Request;
use serde_json::Value;

use crate::{JsonReply, MatrixError, Signed};

/// `GET /_matrix/federation/v1/query/profile`
pub async fn profile(
    State(profiles): State<Profiles>,
    State(rooms): State<Rooms>,
    Signed { req, .. }: Signed<Request>,
) -> Result<JsonReply, MatrixError> {
    if req.user_id.server_name() != rooms.server() {
        return Err(MatrixError::invalid_param("this user is not one of this server"));
    }
    let mut profile = profiles.get(&req.user_id).await?;
    if let Some(field) = &req.field {
        profile.retain(|key, _| key == field.as_str());
    }
    Ok(JsonReply(Value::Object(profile)))
}
