use axum::extract::State;
use flows::Flows;
use ruma::api::client::membership::join_room_by_id::v3::{Request, Response};

use super::{extra, limit_entry};
use crate::{Authed, MatrixError, RateLimits, Reply, auth::is_limited, client::own::not_suspended};

/// `POST /_matrix/client/v3/rooms/{roomId}/join`
pub async fn join_by_id(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Authed { user, account, appservice, req, body, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    if is_limited(appservice.as_ref(), &user) {
        limit_entry(&flows.rooms, &limits, &user, &req.room_id).await?;
    }
    flows.join(&user, &req.room_id, &[], req.reason, extra(&body)).await?;
    Ok(Reply(Response::new(req.room_id)))
}
