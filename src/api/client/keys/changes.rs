use std::sync::Arc;

use axum::extract::State;
use ruma::{
    OwnedUserId,
    api::client::keys::get_key_changes::v3::{Request, Response},
};
use sync::Sync;

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/keys/changes`
pub async fn changes(
    State(sync): State<Arc<Sync>>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let (changed, left) = sync.key_changes(&user, &req.from, &req.to).await?;
    let users = |names: Vec<String>| names.into_iter().filter_map(|name| OwnedUserId::try_from(name).ok()).collect();
    Ok(Reply(Response::new(users(changed), users(left))))
}
