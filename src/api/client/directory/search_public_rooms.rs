use axum::extract::State;
use flows::Flows;
use room::directory::{DirectoryQuery, Network};
use ruma::{api::client::directory::get_public_rooms_filtered::v3::Request, directory::RoomNetwork};

use super::{page, search};
use crate::{Authed, JsonReply, MatrixError};

/// `POST /_matrix/client/v3/publicRooms`
pub async fn search_public_rooms(
    State(flows): State<Flows>,
    Authed { req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let network = match req.room_network {
        RoomNetwork::All => Network::All,
        RoomNetwork::ThirdParty(id) => Network::One(id),
        _ => Network::Matrix,
    };
    let query = DirectoryQuery { network, ..search(req.filter, req.limit, req.since) };
    page(&flows, req.server.as_deref(), &query).await
}
