use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Numbers requests; the prefix tells runs of the server apart in a log.
#[derive(Debug, Clone)]
pub(crate) struct RequestIds(Arc<(String, AtomicU64)>);

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self(Arc::new((base::random::alphanumeric(6), AtomicU64::new(1))))
    }

    pub(super) fn next(&self) -> String {
        format!("{}-{}", self.0.0, self.0.1.fetch_add(1, Ordering::Relaxed))
    }
}

/// Tells the client the id, so that a report of a failure can be found in the log.
pub(super) fn name(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}
