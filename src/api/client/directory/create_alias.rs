use appservice::Appservices;
use axum::extract::State;
use http::StatusCode;
use room::{RoomError, Rooms};
use ruma::api::{
    client::alias::create_alias::v3::{Request, Response},
    error::ErrorCode,
};

use crate::{Authed, MatrixError, Reply, client::own::not_suspended};

/// `PUT /_matrix/client/v3/directory/room/{roomAlias}`
pub async fn create_alias(
    State(rooms): State<Rooms>,
    State(appservices): State<Appservices>,
    Authed { user, account, appservice, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    appservices.check_alias(appservice.as_ref(), &req.room_alias)?;
    match rooms.create_alias(&req.room_alias, &req.room_id, &user).await {
        Err(error @ RoomError::AliasInUse(_)) => {
            Err(MatrixError::new(StatusCode::CONFLICT, ErrorCode::Unknown, error.to_string()))
        }
        other => Ok(other.map(|()| Reply(Response::new()))?),
    }
}
