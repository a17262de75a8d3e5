use http::{HeaderMap, HeaderValue, header};

/// Lets web clients of any origin read the answer. Client-server API, "Web Browser Clients".
pub(super) fn allow(headers: &mut HeaderMap) {
    let value = HeaderValue::from_static;
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, value("GET, HEAD, POST, PUT, DELETE, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, value("X-Requested-With, Content-Type, Authorization, Date"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, value("Retry-After, X-Request-Id"));
}
