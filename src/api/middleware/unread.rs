//! Answers that other servers have not read yet: a server that asks for large ones and does not read them must not fill
//! the memory.

use std::net::IpAddr;

use axum::{
    body::{Body, HttpBody},
    response::{IntoResponse, Response},
};
use base::Share;
use bytes::Bytes;
use http::{HeaderValue, header};

use crate::{MatrixError, Peer, RateLimits, limits::CROWDED};

/// Answers up to this size are not counted, in bytes.
const SMALL: usize = 64 << 10;

/// An answer that counts until it is sent.
struct Unread {
    bytes: Bytes,
    _share: Share<IpAddr>,
}

impl AsRef<[u8]> for Unread {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Counts a large JSON answer to another server, and refuses it when too many are not read.
pub(super) async fn bounded(limits: &RateLimits, server: Peer, response: Response) -> Response {
    let size = response.body().size_hint().exact().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
    let is_json = response.headers().get(header::CONTENT_TYPE) == Some(&HeaderValue::from_static("application/json"));
    if !is_json || size < SMALL {
        return response;
    }
    let mut share = limits.answer_to(server.0);
    if !share.grow(size) {
        return MatrixError::limited(CROWDED).into_response();
    }
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, size).await {
        Ok(bytes) => Response::from_parts(parts, Body::from(Bytes::from_owner(Unread { bytes, _share: share }))),
        Err(error) => MatrixError::internal(&error).into_response(),
    }
}
