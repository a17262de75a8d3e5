use axum::{body::Body, extract::State};
use futures::StreamExt;
use http::{HeaderMap, Uri, header};
use media::{FileInfo, Media};
use ruma::api::client::media::create_content::v3::Response;
use serde::Deserialize;

use super::target::uri;
use crate::{Caller, MatrixError, Reply};

/// `POST /_matrix/media/v3/upload`
pub async fn upload(
    State(media): State<Media>,
    caller: Caller,
    address: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Reply<Response>, MatrixError> {
    let info = file_info(&address, &headers)?;
    let mut bytes = body.into_data_stream();
    let stored = media.upload(&caller.user, info, &mut bytes).await;
    match stored {
        Ok(id) => Ok(Reply(Response::new(uri(&media, &id)))),
        Err(error) => {
            read_on(&media, bytes).await;
            Err(error.into())
        }
    }
}

/// The part of the address after `?`.
#[derive(Deserialize)]
struct Query {
    filename: Option<String>,
}

/// What the request says of its file.
pub fn file_info(address: &Uri, headers: &HeaderMap) -> Result<FileInfo, MatrixError> {
    let query = axum::extract::Query::<Query>::try_from_uri(address);
    let query = query.map_err(|error| MatrixError::invalid_param(error.body_text()))?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(FileInfo { content_type: content_type.map(str::to_owned), filename: query.0.filename })
}

/// Reads what is left of a refused upload, up to one more file of the largest size: most clients look for the
/// answer only when they have sent everything.
pub async fn read_on(media: &Media, mut bytes: axum::body::BodyDataStream) {
    let mut left = media.max_upload_bytes();
    while let Some(Ok(chunk)) = bytes.next().await {
        match left.checked_sub(chunk.len() as u64) {
            Some(rest) => left = rest,
            None => break,
        }
    }
}
