use axum::extract::State;
use flows::Flows;
use ruma::api::client::profile::get_profile_field::v3::Request;
use serde_json::Map;

use crate::{JsonReply, MatrixError, Public, RateLimits, limits::Key};

/// `GET /_matrix/client/v3/profile/{userId}/{keyName}`
pub async fn get_field(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Public { peer, req }: Public<Request>,
) -> Result<JsonReply, MatrixError> {
    limits.take_lookup(flows.rooms.server(), req.user_id.server_name(), Key::Ip(peer.0))?;
    let key = req.field.as_str();
    match flows.profile_field(&req.user_id, key).await? {
        Some(value) => Ok(JsonReply(Map::from_iter([(key.to_owned(), value)]).into())),
        None => Err(MatrixError::not_found("this field of the profile is not set")),
    }
}
