//! Sends stored bytes, so that a browser neither runs them nor guesses what they are.

use std::ops::Range;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use media::{Content, Download, inline_safe};
use ruma::http_headers::{ContentDisposition, ContentDispositionType};

use crate::MatrixError;

/// Client-server API v1.19, "Content repository": the policy that the specification recommends.
const POLICY: &str = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';";

/// The file under `filename`: all of it, the range asked for, or nothing if the client has it.
pub async fn send(download: &Download, filename: Option<&str>, asked: &HeaderMap) -> Result<Response, MatrixError> {
    let content = &download.content;
    let tag = format!("\"{}\"", content.tag);
    if has(asked, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers(&tag)).into_response());
    }
    let range = match wanted(asked, &tag, content.size) {
        Wanted::All => None,
        Wanted::Part(range) => Some(range),
        Wanted::Beyond => return Ok(beyond(content)),
    };
    let mut headers = headers(&tag);
    headers.insert(header::CONTENT_TYPE, value(&download.content_type)?);
    headers.insert(header::CONTENT_DISPOSITION, disposition(&download.content_type, filename)?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, len) = match &range {
        Some(Range { start, end }) => {
            headers.insert(header::CONTENT_RANGE, value(&format!("bytes {start}-{}/{}", end - 1, content.size))?);
            (StatusCode::PARTIAL_CONTENT, end - start)
        }
        None => (StatusCode::OK, content.size),
    };
    headers.insert(header::CONTENT_LENGTH, len.into());
    let body = match content.open(range).await?.into_bytes() {
        Ok(bytes) => Body::from(bytes),
        Err(body) => Body::from_stream(body.into_stream()),
    };
    Ok((status, headers, body).into_response())
}

/// What goes with every answer: bytes under a media id never change.
fn headers(tag: &str) -> HeaderMap {
    let fixed: [(HeaderName, &'static str); 4] = [
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut headers: HeaderMap =
        fixed.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers
}

/// `inline` for what a browser only shows, with the file's name.
pub(crate) fn disposition(content_type: &str, filename: Option<&str>) -> Result<HeaderValue, MatrixError> {
    let kind =
        if inline_safe(content_type) { ContentDispositionType::Inline } else { ContentDispositionType::Attachment };
    value(&ContentDisposition::new(kind).with_filename(filename.map(str::to_owned)).to_string())
}

fn value(text: &str) -> Result<HeaderValue, MatrixError> {
    HeaderValue::from_str(text).map_err(|error| MatrixError::internal(&error))
}

/// Whether the client has the file already.
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|tags| {
        tags.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*")
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Beyond,
}

/// The one range that is asked for. Several, or those of another version, get the whole file. RFC 9110, 14.2.
fn wanted(asked: &HeaderMap, tag: &str, size: u64) -> Wanted {
    if asked.get(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Wanted::All;
    }
    let spec = asked.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|v| v.strip_prefix("bytes="));
    let Some((from, to)) = spec.and_then(|spec| spec.split_once('-')) else { return Wanted::All };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(size),
        (Ok(from), Err(_)) if to.is_empty() => from..size,
        (Err(_), Ok(last)) if from.is_empty() => size.saturating_sub(last)..size,
        _ => return Wanted::All,
    };
    if range.start < range.end { Wanted::Part(range) } else { Wanted::Beyond }
}

fn beyond(content: &Content) -> Response {
    let range = format!("bytes */{}", content.size);
    (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, range)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn one_range_is_understood_and_all_else_gets_the_whole_file() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=5-", Wanted::Part(5..100)),
            ("bytes=-5", Wanted::Part(95..100)),
            ("bytes=-500", Wanted::Part(0..100)),
            ("bytes=90-1000", Wanted::Part(90..100)),
            ("bytes=100-", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=0-18446744073709551615", Wanted::Part(0..100)),
        ] {
            assert_eq!(wanted(&asks(header::RANGE, range), "\"t\"", 100), expected, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole_file() {
        let mut asked = asks(header::RANGE, "bytes=0-0");
        asked.insert(header::IF_RANGE, "\"other\"".parse().unwrap());
        assert_eq!(wanted(&asked, "\"t\"", 100), Wanted::All);
        asked.insert(header::IF_RANGE, "\"t\"".parse().unwrap());
        assert_eq!(wanted(&asked, "\"t\"", 100), Wanted::Part(0..1));
    }

    #[test]
    fn a_known_tag_is_recognised() {
        for known in ["\"t\"", "W/\"t\"", "\"s\", \"t\"", "*"] {
            assert!(has(&asks(header::IF_NONE_MATCH, known), "\"t\""), "{known}");
        }
        assert!(!has(&asks(header::IF_NONE_MATCH, "\"s\""), "\"t\""));
        assert!(!has(&HeaderMap::new(), "\"t\""));
    }

    #[test]
    fn names_of_all_kinds_become_a_header() {
        for (content_type, name, expected) in [
            ("image/png", None, "inline"),
            ("text/html", None, "attachment"),
            ("image/svg+xml", Some("a.svg"), "attachment; filename=a.svg"),
            ("image/png", Some("a b;c.png"), "inline; filename=\"a b;c.png\""),
            ("image/png", Some("☕"), "inline; filename*=utf-8''%E2%98%95"),
            ("image/png", Some("a\r\nb\"c"), "inline; filename=\"ab\\\"c\""),
        ] {
            assert_eq!(disposition(content_type, name).unwrap(), expected);
        }
    }
}
