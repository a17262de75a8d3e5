use axum::extract::{Query, State, rejection::QueryRejection};
use federation::Queue;
use room::Rooms;
use serde::Deserialize;
use serde_json::json;

use super::{for_administrators, of_status};
use crate::{Caller, JsonReply, MatrixError};

/// The most destinations in one answer.
const MAX: usize = 1000;

/// What is asked.
#[derive(Debug, Deserialize)]
pub struct Params {
    #[serde(default)]
    from: usize,
    limit: Option<usize>,
    destination: Option<String>,
}

/// `GET /_synapse/admin/v1/federation/destinations`
pub async fn list(
    State(queue): State<Queue>,
    State(rooms): State<Rooms>,
    caller: Caller,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<JsonReply, MatrixError> {
    for_administrators(&caller)?;
    let Query(params) = params.map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    let limit = params.limit.unwrap_or(100).min(MAX);
    let (some, total) = queue.status(&rooms, params.destination.as_deref(), params.from, limit).await?;
    let next = params.from.saturating_add(some.len());
    let mut reply = json!({ "destinations": some.iter().map(of_status).collect::<Vec<_>>(), "total": total });
    if let (true, Some(reply)) = (next < total, reply.as_object_mut()) {
        reply.insert("next_token".into(), next.to_string().into());
    }
    Ok(JsonReply(reply))
}
