//! Fetches a page or a picture.

use std::{io::Cursor, time::Duration};

use bytes::BytesMut;
use futures::stream;
use http::{HeaderMap, HeaderValue, header};
use outbound::{Download, Request, Url};
use ruma::ServerName;
use serde_json::{Map, Value};

use super::{PreviewError, Previews, Result, charset};
use crate::{FileInfo, Format, MediaId};

/// How long one page, or picture, may take.
const TIME: Duration = Duration::from_secs(20);

/// What is at an address.
pub(super) enum Found {
    /// A page.
    Page {
        /// Where it is, after redirects.
        url: Url,
        /// Its text.
        text: String,
    },
    /// A picture, stored.
    Image(Stored),
    /// Something else.
    Nothing,
}

/// A picture that was stored.
pub(super) struct Stored {
    id: MediaId,
    size: usize,
    content_type: &'static str,
    pixels: Option<(u32, u32)>,
}

impl Stored {
    /// Adds what is known of the picture to `properties`; answers its id.
    pub fn describe(self, server: &ServerName, properties: &mut Map<String, Value>) -> MediaId {
        properties.insert("og:image".into(), format!("mxc://{server}/{}", self.id).into());
        properties.insert("og:image:type".into(), self.content_type.into());
        properties.insert("matrix:image:size".into(), self.size.into());
        if let Some((width, height)) = self.pixels {
            properties.insert("og:image:width".into(), width.into());
            properties.insert("og:image:height".into(), height.into());
        }
        self.id
    }
}

impl Previews {
    /// Fetches what is at `url`.
    pub(super) async fn fetch(&self, url: &Url) -> Result<Found> {
        let answer = self.open(url, "text/html, application/xhtml+xml, image/*;q=0.8").await?;
        let kind = text(&answer.headers).to_ascii_lowercase();
        match kind.split(';').next().map(str::trim) {
            Some("text/html" | "application/xhtml+xml") => {
                let (url, limit) = (answer.url.clone(), self.config.max_page_bytes);
                // What a page says of itself stands at its beginning: the rest is not needed.
                let bytes = read(answer, limit).await?.0;
                Ok(Found::Page { url, text: charset::decode(&bytes, &kind) })
            }
            Some(kind) if kind.starts_with("image/") => {
                let stored = self.keep(answer).await?;
                Ok(stored.map_or(Found::Nothing, Found::Image))
            }
            _ => Ok(Found::Nothing),
        }
    }

    /// Fetches and stores a page's picture. A page is of use without it.
    pub(super) async fn image(&self, url: &Url) -> Result<Option<Stored>> {
        match self.open(url, "image/*").await {
            Ok(answer) => self.keep(answer).await,
            Err(error) => {
                tracing::debug!(%error, "the picture of a page was not fetched");
                Ok(None)
            }
        }
    }

    async fn open(&self, url: &Url, accept: &'static str) -> Result<Download> {
        let request = Request::get(url.clone())
            .header(header::ACCEPT, HeaderValue::from_static(accept))
            .follow_redirects()
            .timeout(TIME)
            // Less of it is read: see below.
            .max_body(usize::MAX);
        let answer = self.outbound.stream(request).await.map_err(|error| PreviewError::Remote(error.to_string()))?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(PreviewError::Remote(format!("status {}", answer.status.as_u16()))),
        }
    }

    /// Stores a picture, if it is one that clients can be trusted with.
    async fn keep(&self, answer: Download) -> Result<Option<Stored>> {
        let (bytes, whole) = read(answer, self.config.max_image_bytes).await?;
        let Some(format) = Format::guess(&bytes).filter(|_| whole) else { return Ok(None) };
        let content_type = format.content_type();
        let (id, size) = (MediaId::random(), bytes.len());
        let pixels = image::ImageReader::new(Cursor::new(&bytes[..])).with_guessed_format();
        let pixels = pixels.ok().and_then(|reader| reader.into_dimensions().ok());
        let info = FileInfo { content_type: Some(content_type.to_owned()), filename: None };
        let body = stream::iter([Ok::<_, std::convert::Infallible>(bytes.freeze())]);
        self.media.keep_own(&id, info, body).await?;
        Ok(Some(Stored { id, size, content_type, pixels }))
    }
}

fn text(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// At most `limit` bytes of an answer, and whether that is all of it.
async fn read(mut answer: Download, limit: usize) -> Result<(BytesMut, bool)> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| PreviewError::Remote(error.to_string()))? {
        let room = limit.saturating_sub(bytes.len());
        bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            return Ok((bytes, false));
        }
    }
    Ok((bytes, true))
}
