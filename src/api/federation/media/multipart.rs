//! `multipart/mixed`, as media go between servers: an empty object of metadata, then the file.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderValue, header};
use media::Download;

use crate::{MatrixError, client::media::send::disposition};

/// Characters of a boundary: nobody can have put it into a file.
const BOUNDARY_LEN: usize = 32;

/// The file with its type and name.
pub async fn multipart(file: &Download) -> Result<Response, MatrixError> {
    let boundary = base::random::alphanumeric(BOUNDARY_LEN);
    let disposition = disposition(&file.content_type, file.filename.as_deref())?;
    let mut head = format!(
        "--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\nContent-Type: {}\r\n\
         Content-Disposition: ",
        file.content_type
    )
    .into_bytes();
    head.extend_from_slice(disposition.as_bytes());
    head.extend_from_slice(b"\r\n\r\n");
    let tail = format!("\r\n--{boundary}--\r\n");
    let length = file.content.size + head.len() as u64 + tail.len() as u64;

    let content = file.content.open(None).await?.into_stream();
    let whole = stream::iter([Ok(Bytes::from(head))]).chain(content).chain(stream::iter([Ok(Bytes::from(tail))]));
    let kind = HeaderValue::from_str(&format!("multipart/mixed; boundary={boundary}"));
    let kind = kind.map_err(|error| MatrixError::internal(&error))?;
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, length.into())];
    Ok((headers, Body::from_stream(whole)).into_response())
}
