use axum::extract::State;
use flows::Flows;
use room::HierarchyQuery;
use ruma::api::client::space::get_hierarchy::v1::Request;
use serde_json::{Map, Value, json};

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
pub async fn hierarchy(
    State(flows): State<Flows>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let query = HierarchyQuery {
        limit: req.limit.and_then(|limit| usize::try_from(u64::from(limit)).ok()),
        max_depth: req.max_depth.map(u64::from),
        suggested_only: req.suggested_only,
        from: req.from,
    };
    let (rooms, next) = flows.hierarchy(&user, &req.room_id, &query).await?;
    let mut answer = Map::from_iter([("rooms".to_owned(), json!(rooms))]);
    answer.extend(next.map(|next| ("next_batch".to_owned(), json!(next))));
    Ok(JsonReply(Value::Object(answer)))
}
