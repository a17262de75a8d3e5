use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use crate::{Answer, Error, Result, Url, config::IDLE_TIMEOUT};

/// An answer of which the body is yet to be read.
#[derive(Debug)]
pub struct Download {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Where it came from, after redirects.
    pub url: Url,
    response: reqwest::Response,
    deadline: Instant,
    left: usize,
}

impl Download {
    pub(crate) fn new(mut response: reqwest::Response, url: Url, deadline: Instant, max_body: usize) -> Result<Self> {
        let too_large = |length: u64| usize::try_from(length).map_or(true, |length| length > max_body);
        if response.content_length().is_some_and(too_large) {
            return Err(Error::TooLarge);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Self { status: response.status(), headers, url, response, deadline, left: max_body })
    }

    /// The next bytes of the body, decompressed; `None` at its end.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when there are more than the request allows, [`Error::Timeout`] when the request's time is
    /// over or nothing came for [`IDLE_TIMEOUT`], and those of a connection that breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let left = self.deadline.saturating_duration_since(Instant::now()).min(IDLE_TIMEOUT);
        let chunk = timeout(left, self.response.chunk()).await.map_err(|_| Error::Timeout)?;
        let chunk = chunk.map_err(|error| Error::of(&error))?;
        let length = chunk.as_ref().map_or(0, Bytes::len);
        self.left = self.left.checked_sub(length).ok_or(Error::TooLarge)?;
        Ok(chunk)
    }

    /// Reads all that is left.
    ///
    /// # Errors
    /// As [`Download::chunk`].
    pub async fn finish(mut self) -> Result<Answer> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: self.status, headers: self.headers, body: body.freeze(), url: self.url })
    }
}
