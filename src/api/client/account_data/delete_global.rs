use account::AccountData;
use axum::extract::State;
use ruma::OwnedUserId;
use serde_json::json;

use super::check;
use crate::{Caller, JsonReply, MatrixError, PathArgs, client::own::own};

/// `DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{user_id}/account_data/{type}`
///
/// MSC3391: what was not there is gone as well.
pub async fn delete_global(
    State(data): State<AccountData>,
    caller: Caller,
    PathArgs((owner, kind)): PathArgs<(OwnedUserId, String)>,
) -> Result<JsonReply, MatrixError> {
    check(&kind, "{}")?;
    own(&caller.user, &owner)?;
    data.remove(&caller.user, None, &kind).await?;
    Ok(JsonReply(json!({})))
}
