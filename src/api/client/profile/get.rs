use axum::extract::State;
use flows::Flows;
use ruma::api::client::profile::get_profile::v3::Request;
use serde_json::Value;

use crate::{JsonReply, MatrixError, Public, RateLimits, limits::Key};

/// `GET /_matrix/client/v3/profile/{userId}`
pub async fn get(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Public { peer, req }: Public<Request>,
) -> Result<JsonReply, MatrixError> {
    limits.take_lookup(flows.rooms.server(), req.user_id.server_name(), Key::Ip(peer.0))?;
    Ok(JsonReply(Value::Object(flows.profile_of(&req.user_id).await?)))
}
