use std::time::Duration;

use base::Millis;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use outbound::Download;
use serde::Deserialize;

/// Why another server's answer is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no federation with this server, or it is ourselves.
    #[error("there is no federation with this server")]
    Forbidden,
    /// It failed lately and is left alone until then (milliseconds since the epoch).
    #[error("the server failed lately")]
    BackingOff {
        /// When it is tried again.
        until: Millis,
    },
    /// It cannot be found or connected to.
    #[error("the server cannot be reached: {0}")]
    Unreachable(outbound::Error),
    /// It did not answer in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// Its answer is larger than allowed.
    #[error("the server's answer is too large")]
    TooLarge,
    /// It answered with another status than 2xx.
    #[error("the server answered {status} {}", .errcode.as_deref().unwrap_or_default())]
    Status {
        /// That status.
        status: StatusCode,
        /// `errcode` of the body.
        errcode: Option<String>,
        /// `error` of the body.
        error: Option<String>,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
        /// The body, at most [`MAX_ERROR_BYTES`].
        body: Bytes,
    },
    /// Its answer is not what the endpoint answers.
    #[error("the server's answer makes no sense: {0}")]
    BadAnswer(String),
    /// What was to be asked cannot be encoded.
    #[error("the request cannot be sent: {0}")]
    BadRequest(String),
}

/// Longest body of an error that is read.
pub const MAX_ERROR_BYTES: usize = 64 << 10;

impl CallError {
    /// Whether the same request may succeed later: the server cannot be reached, is overloaded or broken.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::BackingOff { .. } | Self::Unreachable(_) | Self::Timeout => true,
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden | Self::TooLarge | Self::BadAnswer(_) | Self::BadRequest(_) => false,
        }
    }

    /// How long the server wants to be left alone, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The `errcode` of the answer, if there was one.
    #[must_use]
    pub fn errcode(&self) -> Option<&str> {
        match self {
            Self::Status { errcode, .. } => errcode.as_deref(),
            _ => None,
        }
    }

    /// One word for it, for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::BackingOff { .. } => "backing_off",
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Status { .. } => "status",
            Self::BadAnswer(_) => "bad_answer",
            Self::BadRequest(_) => "bad_request",
        }
    }

    /// Whether it says that the server as a whole does not work now, and not only this request.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 429 | 502..=504 | 520..=530),
            _ => false,
        }
    }
}

impl From<outbound::Error> for CallError {
    fn from(error: outbound::Error) -> Self {
        match error {
            outbound::Error::Timeout => Self::Timeout,
            outbound::Error::TooLarge => Self::TooLarge,
            outbound::Error::Url(cause) => Self::BadRequest(cause),
            error => Self::Unreachable(error),
        }
    }
}

/// The Matrix error in a body.
#[derive(Default, Deserialize)]
struct ErrorBody {
    errcode: Option<String>,
    error: Option<String>,
    retry_after_ms: Option<u64>,
}

/// Longest pause that another server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// The error that an answer without success is. What is read of its body is bounded.
pub(super) async fn status(mut download: Download) -> CallError {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = download.chunk().await {
        let room = MAX_ERROR_BYTES.saturating_sub(body.len());
        body.extend(chunk.iter().take(room));
        if body.len() >= MAX_ERROR_BYTES {
            break;
        }
    }
    let parsed: ErrorBody = serde_json::from_slice(&body).unwrap_or_default();
    let asked = parsed.retry_after_ms.map(Duration::from_millis).or_else(|| retry_after(&download.headers));
    CallError::Status {
        status: download.status,
        errcode: parsed.errcode,
        error: parsed.error,
        retry_after: asked.map(|asked| asked.min(MAX_RETRY_AFTER)),
        body: body.into(),
    }
}

/// `Retry-After` in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
