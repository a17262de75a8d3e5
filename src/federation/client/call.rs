use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use outbound::Url;
use ruma::api::{IncomingResponse, IncomingResponseExt, OutgoingBody, OutgoingRequest, path_builder::PathBuilder};

use super::CallError;

/// How long a request may take that says nothing else.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer to a request that says nothing else: the state of a large room has its own limit.
pub const DEFAULT_MAX_BYTES: usize = 32 << 20;

/// A request to another server, in bytes.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Path and query, escaped.
    pub path_and_query: String,
    /// JSON.
    pub body: Option<Bytes>,
    /// Until the last byte of the answer is there.
    pub timeout: Duration,
    /// Limit of the answer's body after decompression.
    pub max_bytes: usize,
    /// Whether it is sent although the server failed lately: for what a user waits for, and for a durable queue that
    /// has its own memory.
    pub ignore_backoff: bool,
}

impl Call {
    /// A request without a body and with the default limits.
    #[must_use]
    pub fn new(method: Method, path_and_query: impl Into<String>) -> Self {
        Self {
            method,
            path_and_query: path_and_query.into(),
            body: None,
            timeout: DEFAULT_TIMEOUT,
            max_bytes: DEFAULT_MAX_BYTES,
            ignore_backoff: false,
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(path_and_query: impl Into<String>) -> Self {
        Self::new(Method::GET, path_and_query)
    }

    /// A `POST` of JSON.
    #[must_use]
    pub fn post(path_and_query: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..Self::new(Method::POST, path_and_query) }
    }

    /// A `PUT` of JSON.
    #[must_use]
    pub fn put(path_and_query: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..Self::new(Method::PUT, path_and_query) }
    }

    /// A typed request.
    ///
    /// # Errors
    /// [`CallError::BadRequest`] when it cannot be encoded.
    pub fn of<R>(request: R) -> Result<Self, CallError>
    where
        R: OutgoingRequest,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = ()>,
    {
        let bad = |error: ruma::api::error::IntoHttpError| CallError::BadRequest(error.to_string());
        let (parts, body) = request.try_into_http_request_inner("https://server", ()).map_err(bad)?.into_parts();
        let body: Vec<u8> = body.try_into_buf().map_err(|error| bad(error.into()))?;
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok(Self { body: (!body.is_empty()).then(|| body.into()), ..Self::new(parts.method, path) })
    }

    /// The address at which this is asked for.
    ///
    /// # Errors
    /// [`CallError::BadRequest`] when it would not lead where its path says.
    pub(super) fn url(&self, authority: &str) -> Result<Url, CallError> {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        if !path.starts_with('/') || path.contains('\\') || path.split('/').any(is_dots) {
            return Err(CallError::BadRequest("the path is not in its normal form".to_owned()));
        }
        let url = format!("https://{authority}{}", self.path_and_query);
        Url::parse(&url).map_err(|error| CallError::BadRequest(error.to_string()))
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the limit of the answer's size in bytes.
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sends it although the server failed lately.
    #[must_use]
    pub fn urgent(self) -> Self {
        Self { ignore_backoff: true, ..self }
    }
}

/// Whether a segment of a path stands for this or the upper directory.
fn is_dots(segment: &str) -> bool {
    matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | "..")
}

/// What a server answered, with a status of 2xx.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Reads the body as the answer of an endpoint.
    ///
    /// # Errors
    /// [`CallError::BadAnswer`].
    pub fn parse<R: IncomingResponse>(&self) -> Result<R, CallError> {
        let mut response = http::Response::new(&*self.body);
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        R::try_from_http_response(response).map_err(|error| CallError::BadAnswer(error.to_string()))
    }

    /// Reads the body as JSON of any shape, for answers that are to be taken leniently.
    ///
    /// # Errors
    /// [`CallError::BadAnswer`].
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|error| CallError::BadAnswer(error.to_string()))
    }
}
