use axum::extract::State;
use room::{Rooms, directory::DirectoryQuery};
use ruma::{
    api::client::directory::get_public_rooms_filtered::v3::Request,
    directory::{RoomNetwork, RoomTypeFilter},
};

use super::page;
use crate::{Authed, JsonReply, MatrixError};

/// `POST /_matrix/client/v3/publicRooms`
pub async fn search_public_rooms(
    State(rooms): State<Rooms>,
    Authed { req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    if matches!(req.room_network, RoomNetwork::ThirdParty(_)) {
        return Err(MatrixError::not_found("this server has no such third-party network"));
    }
    let kinds = |kinds: Vec<RoomTypeFilter>| kinds.iter().map(|kind| kind.as_str().map(str::to_owned)).collect();
    let query = DirectoryQuery {
        term: req.filter.generic_search_term.filter(|term| !term.is_empty()),
        kinds: (!req.filter.room_types.is_empty()).then(|| kinds(req.filter.room_types)),
        limit: req.limit.and_then(|limit| usize::try_from(u64::from(limit)).ok()),
        since: req.since,
    };
    page(&rooms, req.server.as_deref(), &query).await
}
