//! The wish to have an event sent later, beside the request that would send it now.

use axum::{
    extract::{FromRequestParts, Query},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use room::{Later, Rooms};
use ruma::RoomId;
use serde::Deserialize;
use serde_json::json;

use crate::{JsonReply, MatrixError};

/// How long the event of a request is to wait, in milliseconds, if it is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Wish {
    #[serde(default, rename = "org.matrix.msc4140.delay")]
    pub delay: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Wish {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MatrixError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(wish)) => Ok(wish),
            Err(_) => Err(MatrixError::invalid_param("org.matrix.msc4140.delay must be a number of milliseconds")),
        }
    }
}

/// Keeps an event to be sent later.
pub async fn scheduled(rooms: &Rooms, room: &RoomId, later: &Later) -> Result<Response, MatrixError> {
    let id = rooms.schedule(room, later).await?;
    Ok(JsonReply(json!({ "delay_id": id })).into_response())
}
