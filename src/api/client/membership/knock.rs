use axum::extract::State;
use flows::Flows;
use ruma::api::client::knock::knock_room::v3::{Request, Response};

use super::limit_entry;
use crate::{Authed, MatrixError, RateLimits, Reply, auth::is_limited, client::own::not_suspended};

/// `POST /_matrix/client/v3/knock/{roomIdOrAlias}`
pub async fn knock(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Authed { user, account, appservice, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    let (room, via) = flows.place_of(&req.room_id_or_alias, req.via).await?;
    if is_limited(appservice.as_ref(), &user) {
        limit_entry(&flows.rooms, &limits, &user, &room).await?;
    }
    flows.knock(&user, &room, &via, req.reason).await?;
    Ok(Reply(Response::new(room)))
}
