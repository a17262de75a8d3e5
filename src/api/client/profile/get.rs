use axum::extract::State;
use flows::Flows;
use ruma::api::client::profile::get_profile::v3::Request;
use serde_json::Value;

use crate::{JsonReply, MatrixError, Public};

/// `GET /_matrix/client/v3/profile/{userId}`
pub async fn get(State(flows): State<Flows>, Public { req, .. }: Public<Request>) -> Result<JsonReply, MatrixError> {
    Ok(JsonReply(Value::Object(flows.profile_of(&req.user_id).await?)))
}
