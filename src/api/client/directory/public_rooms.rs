use axum::extract::State;
use flows::Flows;
use room::directory::DirectoryQuery;
use ruma::api::client::directory::get_public_rooms::v3::Request;

use super::page;
use crate::{JsonReply, MatrixError, Public};

/// `GET /_matrix/client/v3/publicRooms`
pub async fn public_rooms(
    State(flows): State<Flows>,
    Public { req, .. }: Public<Request>,
) -> Result<JsonReply, MatrixError> {
    let limit = req.limit.and_then(|limit| usize::try_from(u64::from(limit)).ok());
    let query = DirectoryQuery { limit, since: req.since, ..DirectoryQuery::default() };
    page(&flows, req.server.as_deref(), &query).await
}
