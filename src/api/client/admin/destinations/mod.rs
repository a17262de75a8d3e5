//! How other servers are reached, under the addresses and with the fields that administrators' scripts know from
//! Synapse.

mod list;
mod one;
mod reset;

use federation::queue::DestinationStatus;
use http::Method;
use serde_json::{Value, json};

use crate::{Caller, Credential, MatrixError, Routes};

const LIST: &str = "/_synapse/admin/v1/federation/destinations";
const ONE: &str = "/_synapse/admin/v1/federation/destinations/{destination}";
const RESET: &str = "/_synapse/admin/v1/federation/destinations/{destination}/reset_connection";

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add_raw(Method::GET, LIST, Credential::Required, list::list)
        .add_raw(Method::GET, ONE, Credential::Required, one::one)
        .add_raw(Method::POST, RESET, Credential::Required, reset::reset)
}

fn for_administrators(caller: &Caller) -> Result<(), MatrixError> {
    if caller.account.admin {
        return Ok(());
    }
    Err(MatrixError::forbidden("only administrators of this server may do this"))
}

fn of_status(status: &DestinationStatus) -> Value {
    json!({
        "destination": status.destination,
        "retry_last_ts": status.last_failure.unwrap_or(0),
        "retry_interval": status.pause,
        "failure_ts": status.failing_since,
        "last_successful_stream_ordering": status.acknowledged,
        "newest_stream_ordering": status.newest,
        "waiting": status.waiting,
    })
}
