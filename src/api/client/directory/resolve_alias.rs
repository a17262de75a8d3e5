use axum::extract::State;
use flows::Flows;
use ruma::api::client::alias::get_alias::v3::{Request, Response};

use crate::{MatrixError, Public, RateLimits, Reply, limits::Key};

/// `GET /_matrix/client/v3/directory/room/{roomAlias}`
pub async fn resolve_alias(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Public { peer, req }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    limits.take_lookup(flows.rooms.server(), req.room_alias.server_name(), Key::Ip(peer.0))?;
    let (room, servers) = flows.resolve_alias(&req.room_alias).await?;
    Ok(Reply(Response::new(room, servers)))
}
