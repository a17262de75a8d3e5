use account::AccountData;
use axum::extract::State;
use ruma::api::client::config::get_room_account_data::v3::Request;

use super::unset;
use crate::{Authed, MatrixError, RawReply, client::own::own};

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
pub async fn get_room(
    State(data): State<AccountData>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    own(&user, &req.user_id)?;
    let content = data.get(&user, Some(&req.room_id), &req.event_type.to_string()).await?;
    Ok(content.ok_or_else(unset)?.into_bytes().into())
}
