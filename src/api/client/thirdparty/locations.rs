use appservice::{Appservices, Lookup};
use axum::extract::State;
use ruma::api::client::thirdparty::get_location_for_protocol::v3::Request;
use serde_json::Value;

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/thirdparty/location/{protocol}`
pub async fn locations(
    State(appservices): State<Appservices>,
    Authed { req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let found = appservices.look_up(Lookup::Location, &req.protocol, &req.fields).await;
    Ok(JsonReply(Value::Array(found)))
}
