use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::discovery::discover_homeserver::{HomeserverInfo, Request, Response};

use super::absent;
use crate::{Config, MatrixError, Public, Reply};

/// `GET /.well-known/matrix/client`
pub async fn client(State(config): State<Arc<Config>>, _: Public<Request>) -> Result<Reply<Response>, MatrixError> {
    let base_url = config.well_known.client.clone().ok_or_else(absent)?;
    Ok(Reply(Response::new(HomeserverInfo::new(base_url))))
}
