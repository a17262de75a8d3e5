use axum::extract::State;
use room::Rooms;
use ruma::api::federation::directory::get_public_rooms_filtered::v1::Request;

use crate::{
    JsonReply, MatrixError, Signed,
    client::directory::{own_page, search},
};

/// `POST /_matrix/federation/v1/publicRooms`
pub async fn search_public_rooms(
    State(rooms): State<Rooms>,
    Signed { req, .. }: Signed<Request>,
) -> Result<JsonReply, MatrixError> {
    own_page(&rooms, &search(req.filter, req.limit, req.since)).await
}
