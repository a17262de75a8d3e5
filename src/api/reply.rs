//! What handlers answer with.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use ruma::api::{OutgoingResponse, OutgoingResponseExt};

use crate::MatrixError;

/// A ruma response, encoded as its endpoint says.
#[derive(Debug)]
pub struct Reply<T>(pub T);

impl<T: OutgoingResponse> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match self.0.try_into_http_response::<Vec<u8>>() {
            Ok(response) => response.map(axum::body::Body::from),
            Err(error) => MatrixError::internal(&error).into_response(),
        }
    }
}

/// JSON that is already encoded, for endpoints that copy stored bytes.
#[derive(Debug)]
pub struct RawReply(pub Bytes);

impl IntoResponse for RawReply {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.0).into_response()
    }
}

impl From<Vec<u8>> for RawReply {
    fn from(json: Vec<u8>) -> Self {
        Self(json.into())
    }
}
