use appservice::{Appservices, Lookup};
use axum::extract::State;
use ruma::api::client::thirdparty::get_location_for_room_alias::v3::Request;
use serde_json::Value;

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/thirdparty/location`
pub async fn location_of_alias(
    State(appservices): State<Appservices>,
    Authed { req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let found = appservices.look_up_here(Lookup::Location, req.alias.as_str()).await;
    Ok(JsonReply(Value::Array(found)))
}
