//! Requests to application services. Application Service API, "Homeserver → Application Service API".

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use outbound::{Outbound, Request, Url};
use serde_json::Value;

use crate::{Appservice, PostError};

/// How long an application service may take to answer a transaction.
const TRANSACTION: Duration = Duration::from_secs(60);
/// The same for what somebody waits for.
const QUESTION: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 1 << 20;

/// Asks application services. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Post(Outbound);

impl Post {
    /// Application services are named by the operator, so they may be on private addresses.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new() -> outbound::Result<Self> {
        let config = outbound::Config { allow_private_addresses: true, ..outbound::Config::default() };
        Ok(Self(Outbound::new(&config)?))
    }

    /// Delivers a transaction.
    ///
    /// # Errors
    /// [`PostError`]: whether it has arrived is not known.
    pub(crate) async fn transaction(&self, service: &Appservice, id: &str, body: Bytes) -> Result<(), PostError> {
        let path = format!("_matrix/app/v1/transactions/{id}");
        self.call(service, Method::PUT, &path, body, TRANSACTION).await.map(drop)
    }

    /// Asks something that somebody waits for.
    ///
    /// # Errors
    /// [`PostError`]
    pub(crate) async fn ask(
        &self,
        service: &Appservice,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Value, PostError> {
        let answer = self.call(service, method, path, body, QUESTION).await?;
        serde_json::from_slice(&answer).map_err(|_| PostError::NotJson)
    }

    async fn call(
        &self,
        service: &Appservice,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, PostError> {
        let base = service.url.as_ref().ok_or(PostError::NoUrl)?;
        let url = Url::parse(&format!("{}/{path}", base.as_str().trim_end_matches('/')))?;
        let token = HeaderValue::try_from(format!("Bearer {}", service.hs_token));
        let mut token = token.map_err(|error| outbound::Error::Other(error.to_string()))?;
        token.set_sensitive(true);
        let mut request = Request::new(method, url).timeout(patience).max_body(MAX_ANSWER);
        request.headers.insert(header::AUTHORIZATION, token);
        if !body.is_empty() {
            request = request.json(body);
        }
        let answer = self.0.send(request).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        Err(PostError::Status(answer.status, shown(&answer.body)))
    }
}

impl PostError {
    /// Whether no answer came in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Unanswered(outbound::Error::Timeout))
    }

    /// Whether the application service answered that it does not know what was asked for.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status(StatusCode::NOT_FOUND, _))
    }
}

/// The beginning of an answer, for who looks for the cause.
fn shown(body: &Bytes) -> String {
    String::from_utf8_lossy(body.get(..512).unwrap_or(body)).into_owned()
}
