//! What is said of other servers that are asked for keys.

use std::{collections::BTreeMap, time::Duration};

use federation::CallError;
use ruma::OwnedServerName;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How long other servers may take when the client does not say.
const USUAL_MS: u64 = 10_000;
/// How long they may take at most.
const LONGEST_MS: u64 = 60_000;

/// How long a client waits for other servers.
#[derive(Debug, Deserialize)]
pub struct Patience {
    timeout: Option<u64>,
}

impl Patience {
    /// The time that each server has.
    pub fn limit(&self) -> Duration {
        Duration::from_millis(self.timeout.unwrap_or(USUAL_MS).clamp(1, LONGEST_MS))
    }
}

/// `failures` of an answer.
pub fn failures(failures: BTreeMap<OwnedServerName, CallError>) -> Map<String, Value> {
    let said = |error: CallError| {
        let errcode = if error == CallError::Forbidden { "M_FORBIDDEN" } else { "M_UNKNOWN" };
        json!({ "errcode": errcode, "error": error.to_string() })
    };
    failures.into_iter().map(|(server, error)| (server.to_string(), said(error))).collect()
}
