use axum::extract::State;
use flows::Flows;
use ruma::api::client::room::get_summary::v1::Request;
use serde_json::{Value, json};

use crate::{JsonReply, MatrixError, MaybeAuthed};

/// `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`
pub async fn room_summary(
    State(flows): State<Flows>,
    MaybeAuthed { caller, req, .. }: MaybeAuthed<Request>,
) -> Result<JsonReply, MatrixError> {
    let rooms = &flows.rooms;
    let room = flows.room_of(&req.room_id_or_alias).await?;
    let view = rooms.db().view();
    let room = rooms.num(&view, &room).await?;
    let summary = rooms.summary(&view, room).await?;
    let user = caller.as_ref().map(|caller| &*caller.user);
    if !rooms.may_preview(&view, room, &summary, user).await? {
        return Err(MatrixError::not_found("there is no such room, or you may not know of it"));
    }
    let mut answer = json!(summary);
    if let (Some(user), Value::Object(answer)) = (user, &mut answer) {
        answer.insert("membership".to_owned(), json!(rooms.membership(&view, user, room).await?.as_str()));
    }
    Ok(JsonReply(answer))
}
