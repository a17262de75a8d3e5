use std::sync::Arc;

use axum::extract::State;
use ruma::api::federation::discovery::discover_homeserver::{Request, Response};

use super::absent;
use crate::{Config, MatrixError, Public, Reply};

/// `GET /.well-known/matrix/server`
pub async fn server(State(config): State<Arc<Config>>, _: Public<Request>) -> Result<Reply<Response>, MatrixError> {
    Ok(Reply(Response::new(config.well_known.server.clone().ok_or_else(absent)?)))
}
