use axum::extract::State;
use room::{MemberAction, MemberChange, Rooms};
use ruma::api::client::membership::unban_user::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply, client::own::not_suspended};

/// `POST /_matrix/client/v3/rooms/{roomId}/unban`
pub async fn unban(
    State(rooms): State<Rooms>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    let change = MemberChange::of(user, req.user_id, MemberAction::Unban).with_reason(req.reason);
    rooms.change_member(&req.room_id, &change).await?;
    Ok(Reply(Response::new()))
}
