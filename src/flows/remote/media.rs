//! Media of other servers, fetched when somebody here asks for them.

use std::{io, time::Duration};

use bytes::Bytes;
use federation::{Call, CallError};
use futures::{FutureExt, Stream, stream};
use http::{HeaderMap, header};
use media::{Access, Download, Error, FileInfo, MediaId, ThumbnailRequest};
use outbound::{Request, Url};
use ruma::{ServerName, http_headers::ContentDisposition};

use super::{
    is_unknown,
    multipart::{Head, Multipart},
};
use crate::Flows;

/// How long one file may take.
const TIME: Duration = Duration::from_secs(120);
/// Bytes around a file in a multipart body.
const AROUND: u64 = 256 << 10;
/// How long the other server may wait for its own user's upload, at most.
const MAX_WAIT: Duration = Duration::from_secs(20);

type Result<T> = media::Result<T>;

/// A file on its way in.
struct Incoming {
    info: FileInfo,
    body: Body,
}

enum Body {
    /// All of the answer is the file.
    Plain(outbound::Download),
    /// The file is a part of the answer; some of it has been read.
    Part(outbound::Download, Multipart),
}

impl Flows {
    /// A file of any server; one of another server is fetched first, unless it is here.
    ///
    /// # Errors
    /// As [`media::Media::download`]; [`Error::Remote`], [`Error::RemoteTooLarge`].
    pub async fn download(
        &self,
        (server, id): (&ServerName, &MediaId),
        access: Access,
        wait: Duration,
    ) -> Result<Download> {
        self.bring_media((server, id), access, wait).await?;
        self.media.download((server, id), access, wait).await
    }

    /// A thumbnail of an image of any server, made here.
    ///
    /// # Errors
    /// As [`media::Media::thumbnail`]; [`Error::Remote`], [`Error::RemoteTooLarge`].
    pub async fn thumbnail(
        &self,
        (server, id): (&ServerName, &MediaId),
        request: ThumbnailRequest,
        access: Access,
        wait: Duration,
    ) -> Result<Download> {
        self.bring_media((server, id), access, wait).await?;
        self.media.thumbnail((server, id), request, access, wait).await
    }

    async fn bring_media(&self, (server, id): (&ServerName, &MediaId), access: Access, wait: Duration) -> Result<()> {
        // The frozen addresses serve nothing new, and nothing is fetched for who proves nothing, unless they are open.
        if self.media.is_local(server) || access == Access::Legacy && !self.media.allows_legacy() {
            return Ok(());
        }
        let fetch = || {
            let (flows, server, id) = (self.clone(), server.to_owned(), id.clone());
            async move { flows.fetch_media(&server, &id, wait.min(MAX_WAIT)).await }.boxed()
        };
        self.media.bring((server, id), fetch).await
    }

    async fn fetch_media(&self, server: &ServerName, id: &MediaId, wait: Duration) -> Result<()> {
        let Incoming { info, body } = self.open_media(server, id, wait).await?;
        self.media.keep_remote((server, id), info, body.into_stream()).await
    }

    /// Asks for the file: as servers do since version 1.11 of the specification, and as before if the other one does
    /// not know that yet.
    async fn open_media(&self, server: &ServerName, id: &MediaId, wait: Duration) -> Result<Incoming> {
        let limit = self.media.max_remote_bytes().saturating_add(AROUND);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let ms = wait.as_millis();
        let path = format!("/_matrix/federation/v1/media/download/{id}?timeout_ms={ms}");
        let call = |path: String| Call::get(path).timeout(TIME).max_bytes(limit);
        match self.federation.stream(server, call(path)).await {
            Ok(answer) => self.open_part(answer, limit).await,
            Err(error) if is_old(&error) => {
                let path = format!("/_matrix/media/v3/download/{server}/{id}?allow_remote=false&timeout_ms={ms}");
                let answer = self.federation.stream(server, call(path)).await;
                Ok(plain(answer.map_err(|error| self.failed(&error))?))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Reads a multipart answer up to the file, or goes where it says that the file is.
    async fn open_part(&self, mut answer: outbound::Download, limit: usize) -> Result<Incoming> {
        let kind = text(&answer.headers, header::CONTENT_TYPE).unwrap_or_default();
        let mut parts = Multipart::new(&kind).map_err(|error| Error::Remote(error.to_string()))?;
        while parts.head().is_none() {
            let chunk = answer.chunk().await.map_err(|error| self.failed(&error.into()))?;
            let chunk = chunk.ok_or_else(|| Error::Remote("the answer ended early".into()))?;
            parts.push(&chunk).map_err(|error| Error::Remote(error.to_string()))?;
        }
        let head = parts.head().cloned().unwrap_or_default();
        if let Some(location) = head.location {
            return self.open_elsewhere(&location, limit).await;
        }
        Ok(Incoming { info: info(head), body: Body::Part(answer, parts) })
    }

    /// A file that a server keeps with somebody else.
    async fn open_elsewhere(&self, location: &str, limit: usize) -> Result<Incoming> {
        let url = Url::parse(location).ok().filter(|url| url.as_str().starts_with("https:"));
        let url = url.ok_or_else(|| Error::Remote("the file's address is none".into()))?;
        let request = Request::get(url).follow_redirects().timeout(TIME).max_body(limit);
        let answer = self.federation.outbound().stream(request).await.map_err(|error| self.failed(&error.into()))?;
        if !answer.status.is_success() {
            return Err(Error::Remote(format!("the file's address answers {}", answer.status)));
        }
        Ok(plain(answer))
    }

    /// What a failed request means for who asked for the file.
    fn failed(&self, error: &CallError) -> Error {
        match error {
            error if is_unknown(error) || *error == CallError::Forbidden => Error::NotFound,
            CallError::TooLarge => Error::RemoteTooLarge { limit: self.media.max_remote_bytes() },
            error if error.errcode() == Some("M_NOT_YET_UPLOADED") => Error::NotYetUploaded,
            error => Error::Remote(error.to_string()),
        }
    }
}

/// Whether the other server does not know the endpoint. Server-server API, "Unsupported endpoints". What refuses a
/// request without an error code is not the endpoint either, but something before it.
fn is_old(error: &CallError) -> bool {
    let CallError::Status { status, errcode, .. } = error else { return false };
    match errcode.as_deref() {
        Some(code) => matches!(status.as_u16(), 404 | 405) && code == "M_UNRECOGNIZED",
        None => matches!(status.as_u16(), 400 | 403..=405 | 501),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn plain(answer: outbound::Download) -> Incoming {
    let content_type = text(&answer.headers, header::CONTENT_TYPE);
    let disposition = text(&answer.headers, header::CONTENT_DISPOSITION);
    let info = info(Head { content_type, disposition, location: None });
    Incoming { info, body: Body::Plain(answer) }
}

fn info(head: Head) -> FileInfo {
    let disposition = head.disposition.and_then(|text| ContentDisposition::try_from(text.as_bytes()).ok());
    FileInfo { content_type: head.content_type, filename: disposition.and_then(|found| found.filename) }
}

impl Body {
    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::try_unfold(Some(self), |body| async move {
            match body {
                Some(Self::Plain(mut answer)) => {
                    let chunk = answer.chunk().await.map_err(io::Error::other)?;
                    Ok(chunk.map(|chunk| (chunk, Some(Self::Plain(answer)))))
                }
                Some(Self::Part(answer, parts)) => next_of_part(answer, parts).await,
                None => Ok(None),
            }
        })
    }
}

/// The next bytes of a file that is a part of an answer.
async fn next_of_part(
    mut answer: outbound::Download,
    mut parts: Multipart,
) -> io::Result<Option<(Bytes, Option<Body>)>> {
    loop {
        let ready = parts.take();
        if !ready.is_empty() {
            let bytes = match <[Bytes; 1]>::try_from(ready) {
                Ok([only]) => only,
                Err(several) => several.concat().into(),
            };
            return Ok(Some((bytes, Some(Body::Part(answer, parts)))));
        }
        if parts.is_whole() {
            return Ok(None);
        }
        let chunk = answer.chunk().await.map_err(io::Error::other)?;
        parts.push(&chunk.ok_or(io::ErrorKind::UnexpectedEof)?).map_err(io::Error::other)?;
    }
}
