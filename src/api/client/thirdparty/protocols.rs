use appservice::Appservices;
use axum::extract::State;
use ruma::api::client::thirdparty::get_protocols::v3::Request;
use serde_json::{Map, Value};

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/thirdparty/protocols`
pub async fn protocols(State(appservices): State<Appservices>, _: Authed<Request>) -> Result<JsonReply, MatrixError> {
    let protocols: Map<_, _> = appservices.protocols(None).await.into_iter().collect();
    Ok(JsonReply(Value::Object(protocols)))
}
