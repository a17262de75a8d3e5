use axum::extract::State;
use federation::Queue;
use room::Rooms;
use ruma::OwnedServerName;

use super::{for_administrators, of_status};
use crate::{Caller, JsonReply, MatrixError, PathArgs};

/// `GET /_synapse/admin/v1/federation/destinations/{destination}`
pub async fn one(
    State(queue): State<Queue>,
    State(rooms): State<Rooms>,
    caller: Caller,
    PathArgs(destination): PathArgs<OwnedServerName>,
) -> Result<JsonReply, MatrixError> {
    for_administrators(&caller)?;
    Ok(JsonReply(of_status(&queue.destination(&rooms, &destination).await?)))
}
