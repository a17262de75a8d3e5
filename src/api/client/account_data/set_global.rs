use account::AccountData;
use axum::extract::State;
use ruma::api::client::config::set_global_account_data::v3::{Request, Response};

use super::{check, is_empty};
use crate::{Authed, MatrixError, Reply, client::own::own};

/// `PUT /_matrix/client/v3/user/{userId}/account_data/{type}`
pub async fn set_global(
    State(data): State<AccountData>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let (kind, json) = (req.event_type.to_string(), req.data.json().get());
    check(&kind, json)?;
    own(&user, &req.user_id)?;
    if is_empty(json) {
        data.remove(&user, None, &kind).await?;
    } else {
        data.set(&user, None, &kind, json).await?;
    }
    Ok(Reply(Response::new()))
}
