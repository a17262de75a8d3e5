use axum::extract::State;
use room::{MemberAction, MemberChange, Rooms};
use ruma::api::client::membership::leave_room::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/leave`
pub async fn leave(
    State(rooms): State<Rooms>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let change = MemberChange::own(user, MemberAction::Leave).with_reason(req.reason);
    rooms.change_member(&req.room_id, &change).await?;
    Ok(Reply(Response::new()))
}
