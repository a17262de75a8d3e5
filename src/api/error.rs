//! Where domain errors become HTTP: one `From` per domain error, without wildcard arms, one file per crate.

mod account;
mod appservice;
mod delayed;
mod e2ee;
mod ephemeral;
mod federation;
mod flow;
mod media;
mod membership;
mod preview;
mod push;
mod room;
mod search;
mod subscription;
mod sync;

use std::{borrow::Cow, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ruma::api::error::ErrorCode;
use serde_json::{Map, Value};

/// What a client gets instead of an answer: status, `errcode`, a sentence that says what to fix.
///
/// Client-server API, "Standard error response".
#[derive(Debug)]
pub struct MatrixError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: Option<ErrorCode>,
    message: Cow<'static, str>,
    fields: Map<String, Value>,
    retry_after: Option<Duration>,
}

impl MatrixError {
    /// An error of any kind.
    pub fn new(status: StatusCode, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            code: Some(code),
            message: message.into(),
            fields: Map::new(),
            retry_after: None,
        }))
    }

    /// A body that is not a plain error, as user-interactive authentication answers with 401.
    ///
    /// Anything but an object is sent as an empty object.
    pub fn json(status: StatusCode, body: Value) -> Self {
        let fields = if let Value::Object(fields) = body { fields } else { Map::new() };
        Self(Box::new(Inner { status, code: None, message: "".into(), fields, retry_after: None }))
    }

    /// Adds a field to the body, as `soft_logout` or `room_version`.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.fields.insert(field.to_owned(), value.into());
        self
    }

    /// 400 `M_BAD_JSON`: JSON of the wrong shape.
    pub fn bad_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadJson, message)
    }

    /// 400 `M_NOT_JSON`: the body is not JSON.
    pub fn not_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::NotJson, message)
    }

    /// 400 `M_INVALID_PARAM`: a parameter has the wrong value.
    pub fn invalid_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam, message)
    }

    /// 400 `M_MISSING_PARAM`: a required parameter is missing.
    pub fn missing_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::MissingParam, message)
    }

    /// 403 `M_FORBIDDEN`.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message)
    }

    /// 404 `M_NOT_FOUND`: the path is known, the thing is not.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
    }

    /// 404 `M_UNRECOGNIZED`: the server does not have this endpoint.
    pub fn unrecognized() -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::Unrecognized, "this server has no such endpoint")
    }

    /// 405 `M_UNRECOGNIZED`: the endpoint exists with another method.
    pub fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unrecognized, "this endpoint has no such method")
    }

    /// 401 `M_UNAUTHORIZED`: a server did not prove who it is. Server-server API, "Request authentication".
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
    }

    /// 401 `M_MISSING_TOKEN`.
    pub fn missing_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::MissingToken, "an access token is required")
    }

    /// 401 `M_UNKNOWN_TOKEN`. With `soft_logout` the client may log in again as the same device.
    pub fn unknown_token(soft_logout: bool) -> Self {
        let error = Self::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, "the access token is not known");
        error.with("soft_logout", soft_logout)
    }

    /// 401 `M_USER_LOCKED`: only an administrator can help. Client-server API, "Account locking".
    pub fn locked() -> Self {
        let message = "this account is locked: ask the server's administrator";
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::UserLocked, message).with("soft_logout", true)
    }

    /// 413 `M_TOO_LARGE`.
    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, message)
    }

    /// 429 `M_LIMIT_EXCEEDED`, to be tried again after `wait`.
    pub fn limited(wait: Duration) -> Self {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::LimitExceeded, "too many requests")
            .with("retry_after_ms", ms);
        error.0.retry_after = Some(wait);
        error
    }

    /// 500 `M_UNKNOWN`. The cause goes to the log, not to the client.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, "the server failed; its log says why")
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The `errcode`, which only a [`MatrixError::json`] lacks.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.0.code.as_ref()
    }
}

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        let Inner { status, code, message, mut fields, retry_after } = *self.0;
        if let Some(code) = code {
            fields.insert("errcode".to_owned(), code.as_str().into());
            fields.insert("error".to_owned(), message.into());
        }
        let body = Value::Object(fields).to_string();
        let json = HeaderValue::from_static("application/json");
        let mut response = (status, [(header::CONTENT_TYPE, json)], body).into_response();
        if let Some(wait) = retry_after {
            // Whole seconds, rounded up: zero would invite the next refusal.
            let seconds = wait.as_millis().div_ceil(1000);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
