use account::AccountData;
use axum::extract::State;
use ruma::api::client::config::set_room_account_data::v3::{Request, Response};

use super::{check, is_empty};
use crate::{Authed, MatrixError, Reply, client::own::own};

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
pub async fn set_room(
    State(data): State<AccountData>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let (kind, json) = (req.event_type.to_string(), req.data.json().get());
    check(&kind, json)?;
    own(&user, &req.user_id)?;
    if is_empty(json) {
        data.remove(&user, Some(&req.room_id), &kind).await?;
    } else {
        data.set(&user, Some(&req.room_id), &kind, json).await?;
    }
    Ok(Reply(Response::new()))
}
