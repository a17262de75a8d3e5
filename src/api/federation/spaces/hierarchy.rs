use axum::extract::State;
use room::Rooms;
use ruma::api::federation::space::get_hierarchy::v1::Request;
use serde_json::json;

use crate::{JsonReply, MatrixError, Signed};

/// `GET /_matrix/federation/v1/hierarchy/{roomId}`
pub async fn hierarchy(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<JsonReply, MatrixError> {
    let found = rooms.hierarchy_for(&rooms.db().view(), &req.room_id, &origin, req.suggested_only).await?;
    Ok(JsonReply(json!(found)))
}
