use std::{net::IpAddr, pin::Pin};

use api::Peer;
use axum::{Router, body::Body, response::Response};
use http::{HeaderMap, Request};
use hyper::{body::Incoming, service::Service};
use tower::ServiceExt;

use super::body::Patient;

/// Puts the client's address into each request.
#[derive(Clone)]
pub(super) struct WithPeer {
    router: Router,
    ip: IpAddr,
    behind_proxy: bool,
}

impl WithPeer {
    pub(super) fn new(router: Router, ip: IpAddr, behind_proxy: bool) -> Self {
        Self { router, ip: ip.to_canonical(), behind_proxy }
    }
}

impl Service<Request<Incoming>> for WithPeer {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(|body| Body::new(Patient::new(body)));
        let forwarded = if self.behind_proxy { forwarded(request.headers()) } else { None };
        request.extensions_mut().insert(Peer(forwarded.unwrap_or(self.ip)));
        Box::pin(self.router.clone().oneshot(request))
    }
}

/// The address that our own proxy saw: the last one, as all before it are the client's claims.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let header = headers.get_all("x-forwarded-for").into_iter().next_back()?;
    let last = header.to_str().ok()?.rsplit(',').next()?.trim();
    last.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_forwarded_address_counts() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "6.6.6.6, 2001:db8::1".parse().unwrap());
        headers.append("x-forwarded-for", "7.7.7.7, 192.0.2.1".parse().unwrap());
        assert_eq!(forwarded(&headers), Some("192.0.2.1".parse().unwrap()));
    }
}
