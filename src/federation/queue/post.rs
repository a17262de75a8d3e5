//! Handing a transaction to another server.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use ruma::ServerName;

use crate::{Call, CallError, Client};

/// How long a transaction may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer: a result for each of 50 events.
const MAX_ANSWER: usize = 1 << 20;

/// Why a transaction was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The destination cannot be reached or does not work. The same transaction is to be sent again.
    Later {
        /// What kind of failure, for counting.
        kind: &'static str,
        /// What it says, for the log.
        reason: String,
        /// How long the destination wants to be left alone.
        wait: Option<Duration>,
    },
    /// There is something in it that the destination does not take.
    Content(String),
}

/// Hands transactions over; tests have one without a network.
pub trait Post: Send + Sync + std::fmt::Debug {
    /// Sends one transaction; answers the body of the answer. Server-server API, "Transactions".
    fn post<'a>(
        &'a self,
        destination: &'a ServerName,
        id: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<Bytes, Refused>>;
}

impl Post for Client {
    fn post<'a>(
        &'a self,
        destination: &'a ServerName,
        id: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<Bytes, Refused>> {
        Box::pin(async move {
            let call =
                Call { body: Some(body), ..Call::new(http::Method::PUT, format!("/_matrix/federation/v1/send/{id}")) };
            // The queue has its own memory of what fails.
            let call = call.timeout(TIMEOUT).max_bytes(MAX_ANSWER).urgent();
            match self.call(destination, call).await {
                Ok(answer) => Ok(answer.body),
                Err(error) => Err(refused(&error)),
            }
        })
    }
}

fn refused(error: &CallError) -> Refused {
    let kind = match error {
        CallError::Status { status, .. } if matches!(status.as_u16(), 400 | 413) => {
            return Refused::Content(error.to_string());
        }
        // It cannot be signed: something in it is no canonical JSON.
        CallError::BadRequest(_) => return Refused::Content(error.to_string()),
        CallError::Status { .. } => "status",
        CallError::Forbidden => "forbidden",
        CallError::BackingOff { .. } => "backing_off",
        CallError::Unreachable(_) => "unreachable",
        CallError::Timeout => "timeout",
        CallError::TooLarge | CallError::BadAnswer(_) => "answer",
    };
    Refused::Later { kind, reason: error.to_string(), wait: error.retry_after() }
}
