use axum::extract::State;
use flows::Flows;
use http::StatusCode;
use ruma::{
    OwnedRoomId, OwnedUserId,
    api::{client::membership::invite_user::v3::Response, error::ErrorCode},
};
use serde_json::{Map, Value};

use super::limit_invite;
use crate::{Caller, JsonBody, MatrixError, PathArgs, RateLimits, Reply, client::own::not_suspended};

/// `POST /_matrix/client/v3/rooms/{roomId}/invite`
///
/// Reads the body itself to tell what is missing in it: ruma's type matches both kinds of invite or neither.
pub async fn invite(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    caller: Caller,
    PathArgs((room,)): PathArgs<(OwnedRoomId,)>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&caller.account)?;
    let target = target(&body)?;
    if caller.is_limited() {
        limit_invite(&flows.rooms, &limits, (&caller.user, &target), &room).await?;
    }
    let reason = body.get("reason").and_then(Value::as_str).map(str::to_owned);
    flows.invite(&caller.user, &room, &target, reason).await?;
    Ok(Reply(Response::new()))
}

fn target(body: &Map<String, Value>) -> Result<OwnedUserId, MatrixError> {
    match body.get("user_id") {
        Some(Value::String(user)) => {
            OwnedUserId::try_from(user.as_str()).map_err(|error| MatrixError::invalid_param(error.to_string()))
        }
        Some(_) => Err(MatrixError::bad_json("user_id must be a user id")),
        None if body.contains_key("medium") => {
            let message = "this server does not look up e-mail addresses and phone numbers: invite by user id";
            Err(MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::ThreepidDenied, message))
        }
        None => Err(MatrixError::missing_param("user_id is missing")),
    }
}
