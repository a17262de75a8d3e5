use axum::extract::State;
use room::{HierarchyQuery, Rooms};
use ruma::api::client::space::get_hierarchy::v1::Request;
use serde_json::{Map, Value, json};

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
pub async fn hierarchy(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let query = HierarchyQuery {
        limit: req.limit.and_then(|limit| usize::try_from(u64::from(limit)).ok()),
        max_depth: req.max_depth.map(u64::from),
        suggested_only: req.suggested_only,
        from: req.from,
    };
    let page = rooms.hierarchy(&rooms.db().view(), &req.room_id, &user, &query).await?;
    let mut answer = Map::from_iter([("rooms".to_owned(), json!(page.rooms))]);
    answer.extend(page.next.map(|next| ("next_batch".to_owned(), json!(next))));
    Ok(JsonReply(Value::Object(answer)))
}
