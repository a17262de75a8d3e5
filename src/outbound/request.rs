use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::{
    Url,
    config::{DEFAULT_MAX_BODY, DEFAULT_TIMEOUT},
};

/// Where to connect: a name or an address (IPv6 without brackets), and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Target {
    /// Puts the two together.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

/// A request that leaves this server.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Where to; its host is the name that the certificate must have.
    pub url: Url,
    /// Headers. `Host` is that of the URL unless set here.
    pub headers: HeaderMap,
    /// The body; empty means none.
    pub body: Bytes,
    /// Until the last byte of the answer is there.
    pub timeout: Duration,
    /// Bytes of the answer's body after decompression.
    pub max_body: usize,
    /// Whether redirects are followed; otherwise they are the answer.
    pub follow_redirects: bool,
    /// Connect to these, in this order, instead of to the URL's host; what they are asked for and what their
    /// certificate must say stays. The URL must then have no port.
    pub targets: Option<Vec<Target>>,
}

impl Request {
    /// A request without headers and body, redirects not followed, with the default limits: 30 seconds, 1 MiB.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: DEFAULT_TIMEOUT,
            max_body: DEFAULT_MAX_BODY,
            follow_redirects: false,
            targets: None,
        }
    }

    /// A `GET` as of [`Request::new`].
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(self, body: Bytes) -> Self {
        self.body(body).header(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// Sets the time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the limit of the answer's body in bytes.
    #[must_use]
    pub fn max_body(mut self, max_body: usize) -> Self {
        self.max_body = max_body;
        self
    }

    /// Has redirects followed.
    #[must_use]
    pub fn follow_redirects(mut self) -> Self {
        self.follow_redirects = true;
        self
    }

    /// Sets where to connect.
    #[must_use]
    pub fn to(mut self, targets: Vec<Target>) -> Self {
        self.targets = Some(targets);
        self
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed.
    pub body: Bytes,
    /// Where it came from, after redirects.
    pub url: Url,
}
