//! Server notices, under the addresses that administrators' scripts know from Synapse.

mod send;
mod send_once;

use event::Draft;
use http::Method;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{Caller, Credential, MatrixError, Routes};

const SEND: &str = "/_synapse/admin/v1/send_server_notice";
const SEND_ONCE: &str = "/_synapse/admin/v1/send_server_notice/{txn_id}";

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_raw(Method::POST, SEND, Credential::Required, send::send).add_raw(
        Method::PUT,
        SEND_ONCE,
        Credential::Required,
        send_once::send_once,
    )
}

#[derive(Deserialize)]
struct Notice {
    user_id: OwnedUserId,
    content: Box<RawValue>,
    #[serde(rename = "type")]
    kind: Option<String>,
    state_key: Option<String>,
}

/// What to tell whom, if an administrator says so.
fn read(caller: &Caller, body: &Value) -> Result<(OwnedUserId, Draft), MatrixError> {
    if !caller.account.admin {
        return Err(MatrixError::forbidden("only administrators of this server may do this"));
    }
    let notice: Notice =
        serde_json::from_str(&body.to_string()).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    if !notice.content.get().starts_with('{') {
        return Err(MatrixError::bad_json("content must be a JSON object"));
    }
    let kind = notice.kind.unwrap_or_else(|| "m.room.message".to_owned()).into();
    let draft = match notice.state_key {
        Some(key) => Draft::state(kind, key, notice.content),
        None => Draft::message(kind, notice.content),
    };
    Ok((notice.user_id, draft))
}
