use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use base::Millis;
use futures::future::BoxFuture;
use ruma::{OwnedServerName, OwnedServerSigningKeyId};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{MAX_DOCUMENT_BYTES, Wanted};
use crate::{Call, CallError, Client};

/// Servers that a notary is asked about at once.
pub(super) const PER_QUESTION: usize = 100;
/// Largest answer of a notary, in bytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// How long one server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(8);

/// What a server is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// For its own keys.
    Own,
    /// For keys of others: servers, names of keys, until when each has to be valid.
    Others(BTreeMap<OwnedServerName, BTreeMap<OwnedServerSigningKeyId, Millis>>),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AskError(pub String);

type Answer = BoxFuture<'static, Result<Vec<String>, AskError>>;

/// Asks one server one question; the answer is documents that nobody has checked yet. Tests put a function of their
/// own in the place of the network.
#[derive(Clone)]
pub struct Ask(Arc<dyn Fn(OwnedServerName, Question) -> Answer + Send + Sync>);

impl Ask {
    /// Over the network.
    #[must_use]
    pub fn by(client: Client) -> Self {
        Self::with(move |server, question| {
            let client = client.clone();
            async move { ask(&client, &server, &question).await }
        })
    }

    /// By a function.
    pub fn with<F, A>(ask: F) -> Self
    where
        F: Fn(OwnedServerName, Question) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Vec<String>, AskError>> + Send + 'static,
    {
        Self(Arc::new(move |server, question| Box::pin(ask(server, question))))
    }

    pub(super) async fn ask(&self, server: OwnedServerName, question: Question) -> Result<Vec<String>, AskError> {
        (self.0)(server, question).await
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask")
    }
}

async fn ask(client: &Client, server: &OwnedServerName, question: &Question) -> Result<Vec<String>, AskError> {
    let failed = |error: CallError| AskError(error.to_string());
    // The pauses of `ServerKeys` bound how often; who has just signed a request is surely there.
    match question {
        Question::Own => {
            let call = Call::get("/_matrix/key/v2/server").timeout(TIMEOUT).max_bytes(MAX_DOCUMENT_BYTES).urgent();
            let answer = client.call(server, call).await.map_err(failed)?;
            let text = String::from_utf8(answer.body.to_vec());
            Ok(vec![text.map_err(|_| AskError("the answer is not UTF-8".to_owned()))?])
        }
        Question::Others(wanted) => {
            let call = Call::post("/_matrix/key/v2/query", query(wanted)).timeout(TIMEOUT);
            let answer = client.call(server, call.max_bytes(MAX_ANSWER_BYTES)).await.map_err(failed)?;
            let answer: QueryAnswer<'_> =
                serde_json::from_slice(&answer.body).map_err(|error| AskError(error.to_string()))?;
            Ok(answer.server_keys.into_iter().map(|document| document.get().to_owned()).collect())
        }
    }
}

#[derive(Deserialize)]
struct QueryAnswer<'a> {
    #[serde(borrow)]
    server_keys: Vec<&'a RawValue>,
}

fn query(wanted: &Wanted) -> String {
    let criteria = |keys: &BTreeMap<OwnedServerSigningKeyId, Millis>| -> serde_json::Map<_, _> {
        keys.iter().map(|(id, until)| (id.to_string(), json!({ "minimum_valid_until_ts": until }))).collect()
    };
    let servers: serde_json::Map<_, _> =
        wanted.iter().map(|(server, keys)| (server.to_string(), criteria(keys).into())).collect();
    json!({ "server_keys": servers }).to_string()
}
