use account::AccountData;
use axum::extract::State;
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::json;

use super::check;
use crate::{Caller, JsonReply, MatrixError, PathArgs, client::own::own};

/// `DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{user_id}/rooms/{room_id}/account_data/{type}`
///
/// MSC3391: what was not there is gone as well.
pub async fn delete_room(
    State(data): State<AccountData>,
    caller: Caller,
    PathArgs((owner, room, kind)): PathArgs<(OwnedUserId, OwnedRoomId, String)>,
) -> Result<JsonReply, MatrixError> {
    check(&kind, "{}")?;
    own(&caller.user, &owner)?;
    data.remove(&caller.user, Some(&room), &kind).await?;
    Ok(JsonReply(json!({})))
}
