//! Asking policy servers to sign events. Server-server API, "Asking for a Policy Server signature on an event".

use std::{collections::BTreeMap, time::Duration};

use event::{Pdu, verify::POLICY_KEY};
use futures::future::BoxFuture;
use room::{AskPolicy, PolicyError};
use ruma::ServerName;

use crate::{Call, CallError, Client};

/// Where to ask.
const PATH: &str = "/_matrix/policy/v1/sign";
/// How long it may take: a user waits for their message.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer: a few signatures.
const MAX_BYTES: usize = 16 << 10;

impl AskPolicy for Client {
    fn ask<'a>(&'a self, server: &'a ServerName, pdu: &'a Pdu) -> BoxFuture<'a, Result<String, PolicyError>> {
        Box::pin(async move {
            let call = Call::post(PATH, pdu.json().clone()).timeout(TIMEOUT).max_bytes(MAX_BYTES);
            let answer = self.call(server, call).await.map_err(failed)?;
            let signatures: BTreeMap<String, BTreeMap<String, String>> = answer.json().map_err(failed)?;
            let signature = signatures.get(server.as_str()).and_then(|keys| keys.get(POLICY_KEY)).cloned();
            signature.ok_or_else(|| PolicyError::Unavailable("the policy server answered without a signature".into()))
        })
    }
}

/// What a policy server says of the event is the client's to know; that it does not work is not.
fn failed(error: CallError) -> PolicyError {
    match error {
        CallError::Status { status, errcode, body, .. }
            if status.is_client_error() && errcode.as_deref() != Some("M_UNRECOGNIZED") =>
        {
            PolicyError::Refused { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() }
        }
        error => PolicyError::Unavailable(error.to_string()),
    }
}
