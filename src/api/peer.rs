use std::net::{IpAddr, Ipv4Addr};

use http::Extensions;

/// Who is at the other end of the connection; the listener puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The peer of a request, or the unspecified address where none was set (a test without a socket).
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}
