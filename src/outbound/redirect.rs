use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};

use crate::{Error, Request, Result, Url};

/// The request that a redirect asks for; `None` when the answer is no redirect.
///
/// # Errors
/// [`Error::Url`] when it leads nowhere or from https to http.
pub(crate) fn next(request: &Request, status: StatusCode, headers: &HeaderMap) -> Result<Option<Request>> {
    let keeps_method = matches!(status.as_u16(), 307 | 308);
    if !keeps_method && !matches!(status.as_u16(), 301..=303) {
        return Ok(None);
    }
    let Some(location) = headers.get(header::LOCATION) else { return Ok(None) };
    let location = location.to_str().map_err(|_| Error::Url("the redirect's location".to_owned()))?;
    let url: Url = request.url.join(location)?;
    if request.url.is_https() && !url.is_https() {
        return Err(Error::Url("the redirect leads from https to http".to_owned()));
    }
    let mut next = request.clone();
    next.targets = None;
    next.headers.remove(header::HOST);
    if !url.is_same_origin(&request.url) {
        next.headers.remove(header::AUTHORIZATION);
        next.headers.remove(header::COOKIE);
    }
    if !keeps_method && next.method != Method::HEAD {
        next.method = Method::GET;
        next.body = Bytes::new();
        next.headers.remove(header::CONTENT_TYPE);
    }
    next.url = url;
    Ok(Some(next))
}
