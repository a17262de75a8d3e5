use axum::extract::State;
use flows::Flows;
use ruma::api::client::room::get_summary::v1::Request;
use serde_json::Value;

use crate::{JsonReply, MatrixError, MaybeAuthed};

/// `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`
pub async fn room_summary(
    State(flows): State<Flows>,
    MaybeAuthed { caller, req, .. }: MaybeAuthed<Request>,
) -> Result<JsonReply, MatrixError> {
    let user = caller.as_ref().map(|caller| &*caller.user);
    Ok(JsonReply(Value::Object(flows.room_summary(user, &req.room_id_or_alias, req.via).await?)))
}
