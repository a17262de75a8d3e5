use appservice::{Appservices, Lookup};
use axum::extract::State;
use ruma::api::client::thirdparty::get_user_for_user_id::v3::Request;
use serde_json::Value;

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/thirdparty/user`
pub async fn user_of_id(
    State(appservices): State<Appservices>,
    Authed { req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let found = appservices.look_up_here(Lookup::User, req.userid.as_str()).await;
    Ok(JsonReply(Value::Array(found)))
}
