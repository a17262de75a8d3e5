use axum::extract::State;
use flows::Flows;
use room::directory::{DirectoryQuery, Network};
use ruma::{api::client::directory::get_public_rooms_filtered::v3::Request, directory::RoomNetwork};

use super::{page, search};
use crate::{Authed, JsonReply, MatrixError, RateLimits, limits::Key};

/// `POST /_matrix/client/v3/publicRooms`
pub async fn search_public_rooms(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    if let Some(server) = &req.server {
        limits.take_lookup(flows.rooms.server(), server, Key::user(&user))?;
    }
    let network = match req.room_network {
        RoomNetwork::All => Network::All,
        RoomNetwork::ThirdParty(id) => Network::One(id),
        _ => Network::Matrix,
    };
    let query = DirectoryQuery { network, ..search(req.filter, req.limit, req.since) };
    page(&flows, req.server.as_deref(), &query).await
}
