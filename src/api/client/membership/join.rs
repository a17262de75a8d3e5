use axum::extract::State;
use flows::Flows;
use ruma::api::client::membership::join_room_by_id_or_alias::v3::{Request, Response};

use super::{extra, limit_entry};
use crate::{Authed, MatrixError, RateLimits, Reply, auth::is_limited, client::own::not_suspended};

/// `POST /_matrix/client/v3/join/{roomIdOrAlias}`
pub async fn join(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Authed { user, account, appservice, req, body, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    let (room, via) = flows.place_of(&req.room_id_or_alias, req.via).await?;
    if is_limited(appservice.as_ref(), &user) {
        limit_entry(&flows.rooms, &limits, &user, &room).await?;
    }
    flows.join(&user, &room, &via, req.reason, extra(&body)).await?;
    Ok(Reply(Response::new(room)))
}
