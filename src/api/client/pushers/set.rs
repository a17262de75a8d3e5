use axum::extract::State;
use push::Pushers;
use ruma::api::client::push::set_pusher::v3::{PusherAction, Request, Response};

use crate::{Authed, MatrixError, Reply, client::own};

/// `POST /_matrix/client/v3/pushers/set`
pub async fn set(
    State(pushers): State<Pushers>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    match req.action {
        PusherAction::Post(new) => pushers.set(&user, &own::device(device)?, &new.pusher, new.append).await?,
        PusherAction::Delete(ids) => pushers.remove(&user, &ids).await?,
        _ => return Err(MatrixError::invalid_param("a pusher is set or removed")),
    }
    Ok(Reply(Response::new()))
}
