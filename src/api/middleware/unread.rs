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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use base::Clock;
    use http::StatusCode;

    use super::*;
    use crate::RateLimitsConfig;

    #[tokio::test]
    async fn who_does_not_read_large_answers_gets_no_more_of_them() {
        let limits = RateLimits::new(RateLimitsConfig::default(), Clock::fixed(0));
        let large = Bytes::from(vec![b' '; 64 << 20]);
        let answer = async |last: u8, body: &Bytes, kind: &'static str| {
            let mut response = Body::from(body.clone()).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            bounded(&limits, Peer(Ipv4Addr::new(192, 0, 2, last).into()), response).await
        };
        let json = "application/json";
        let mut unread = Vec::new();
        for _ in 0..4 {
            unread.push(answer(1, &large, json).await);
        }
        assert!(unread.iter().all(|response| response.status() == StatusCode::OK));
        assert_eq!(answer(1, &large, json).await.status(), StatusCode::TOO_MANY_REQUESTS);
        let small = Bytes::from_static(b"{}");
        for (who, body, kind) in [(1, &small, json), (2, &large, json), (1, &large, "image/png")] {
            assert_eq!(answer(who, body, kind).await.status(), StatusCode::OK, "{who} {kind}");
        }
        let read = axum::body::to_bytes(unread.remove(0).into_body(), usize::MAX).await.unwrap();
        assert_eq!(read.len(), large.len());
        drop(read);
        assert_eq!(answer(1, &large, json).await.status(), StatusCode::OK);
    }
}
