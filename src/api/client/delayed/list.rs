use axum::extract::State;
use room::Rooms;
use ruma::api::client::delayed_events::get_all_delayed_events::unstable::Request;
use serde_json::json;

use super::shown;
use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events`
pub async fn list(State(rooms): State<Rooms>, Authed { user, .. }: Authed<Request>) -> Result<JsonReply, MatrixError> {
    let waiting = rooms.delayed_of(&rooms.db().view(), &user).await.map_err(|error| MatrixError::internal(&error))?;
    let events: Vec<_> = waiting.iter().map(|(id, row)| shown(id, row)).collect();
    Ok(JsonReply(json!({ "delayed_events": events })))
}
