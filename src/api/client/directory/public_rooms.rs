use axum::extract::State;
use flows::Flows;
use room::directory::DirectoryQuery;
use ruma::api::client::directory::get_public_rooms::v3::Request;

use super::page;
use crate::{JsonReply, MatrixError, Public, RateLimits, limits::Key};

/// `GET /_matrix/client/v3/publicRooms`
pub async fn public_rooms(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Public { peer, req }: Public<Request>,
) -> Result<JsonReply, MatrixError> {
    if let Some(server) = &req.server {
        limits.take_lookup(flows.rooms.server(), server, Key::Ip(peer.0))?;
    }
    let limit = req.limit.and_then(|limit| usize::try_from(u64::from(limit)).ok());
    let query = DirectoryQuery { limit, since: req.since, ..DirectoryQuery::default() };
    page(&flows, req.server.as_deref(), &query).await
}
