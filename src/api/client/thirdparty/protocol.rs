use appservice::Appservices;
use axum::extract::State;
use ruma::api::client::thirdparty::get_protocol::v3::Request;

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/thirdparty/protocol/{protocol}`
pub async fn protocol(
    State(appservices): State<Appservices>,
    Authed { req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let protocol = appservices.protocols(Some(&req.protocol)).await.remove(&req.protocol);
    protocol.map(JsonReply).ok_or_else(|| MatrixError::not_found("no application service knows this protocol"))
}
