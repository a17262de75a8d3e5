use axum::extract::State;
use federation::ServerKeys;
use ruma::api::federation::discovery::get_server_keys::v2::Request;

use crate::{MatrixError, Public, RawReply};

/// `GET /_matrix/key/v2/server`
pub async fn server(State(keys): State<ServerKeys>, _: Public<Request>) -> Result<RawReply, MatrixError> {
    document(&keys)
}

/// `GET /_matrix/key/v2/server/{keyId}`: the same, whatever key is named.
pub async fn server_key(State(keys): State<ServerKeys>) -> Result<RawReply, MatrixError> {
    document(&keys)
}

fn document(keys: &ServerKeys) -> Result<RawReply, MatrixError> {
    let json = serde_json::to_vec(&keys.own_document());
    json.map(RawReply::from).map_err(|error| MatrixError::internal(&error))
}
