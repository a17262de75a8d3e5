use axum::extract::State;
use room::{Rooms, directory::DirectoryQuery};
use ruma::api::federation::directory::get_public_rooms::v1::Request;

use crate::{JsonReply, MatrixError, Signed, client::directory::own_page};

/// `GET /_matrix/federation/v1/publicRooms`
pub async fn public_rooms(
    State(rooms): State<Rooms>,
    Signed { req, .. }: Signed<Request>,
) -> Result<JsonReply, MatrixError> {
    let limit = req.limit.and_then(|limit| usize::try_from(u64::from(limit)).ok());
    let query = DirectoryQuery { limit, since: req.since, ..DirectoryQuery::default() };
    own_page(&rooms, &query).await
}
