use axum::extract::State;
use federation::Queue;
use room::Rooms;
use ruma::OwnedServerName;
use serde_json::json;

use super::for_administrators;
use crate::{Caller, JsonReply, MatrixError, PathArgs};

/// `POST /_synapse/admin/v1/federation/destinations/{destination}/reset_connection`: tries it at once.
pub async fn reset(
    State(queue): State<Queue>,
    State(rooms): State<Rooms>,
    caller: Caller,
    PathArgs(destination): PathArgs<OwnedServerName>,
) -> Result<JsonReply, MatrixError> {
    for_administrators(&caller)?;
    queue.destination(&rooms, &destination).await?;
    if !queue.retry(&destination).await? {
        return Err(MatrixError::invalid_param("this destination does not fail, so there is nothing to reset"));
    }
    Ok(JsonReply(json!({})))
}
