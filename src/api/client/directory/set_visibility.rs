use axum::extract::State;
use room::Rooms;
use ruma::api::client::{
    directory::set_room_visibility::v3::{Request, Response},
    room::Visibility,
};

use crate::{Authed, MatrixError, Reply, client::own::not_suspended};

/// `PUT /_matrix/client/v3/directory/list/room/{roomId}`
pub async fn set_visibility(
    State(rooms): State<Rooms>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    let listed = match req.visibility {
        Visibility::Public => true,
        Visibility::Private => false,
        other => return Err(MatrixError::invalid_param(format!("visibility is public or private, not {other}"))),
    };
    rooms.set_published(&req.room_id, &user, listed, account.admin).await?;
    Ok(Reply(Response::new()))
}
