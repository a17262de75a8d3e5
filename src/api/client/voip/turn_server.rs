use account::Accounts;
use axum::extract::State;
use ruma::api::client::voip::get_turn_server_info::v3::Request;
use serde_json::{Value, json};

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/voip/turnServer`
///
/// Without a TURN server the answer is empty, which clients know from Synapse; ruma's type has no word for it.
pub async fn turn_server(
    State(accounts): State<Accounts>,
    Authed { user, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let answer = accounts.turn_access(&user).map(|access| {
        json!({
            "username": access.username,
            "password": access.password,
            "uris": access.uris,
            "ttl": access.lives_seconds,
        })
    });
    Ok(JsonReply(answer.unwrap_or_else(|| Value::Object(serde_json::Map::new()))))
}
