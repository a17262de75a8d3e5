use axum::extract::State;
use flows::Flows;
use ruma::{OwnedUserId, api::client::profile::set_profile_field::v3::Response};
use serde_json::{Map, Value};

use crate::{
    Caller, JsonBody, MatrixError, PathArgs, Reply,
    client::own::{not_suspended, own},
};

/// `PUT /_matrix/client/v3/profile/{userId}/{keyName}`
///
/// Clients unset display name and avatar by `null` or an empty text, which ruma's type does not take.
pub async fn set_field(
    State(flows): State<Flows>,
    caller: Caller,
    PathArgs((user, key)): PathArgs<(OwnedUserId, String)>,
    JsonBody(mut body): JsonBody<Map<String, Value>>,
) -> Result<Reply<Response>, MatrixError> {
    own(&caller.user, &user)?;
    not_suspended(&caller.account)?;
    let value = body.remove(&key).ok_or_else(|| MatrixError::missing_param(format!("the body has no {key:?}")))?;
    let unset = matches!(key.as_str(), "displayname" | "avatar_url") && (value.is_null() || value == "");
    flows.set_profile(&user, &key, (!unset).then_some(value)).await?;
    Ok(Reply(Response::new()))
}
