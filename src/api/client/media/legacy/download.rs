use axum::{extract::State, response::Response};
use http::HeaderMap;
use media::{Access, Media};
use ruma::api::client::media::get_content::v3::Request;

use super::super::{send::send, target::media_id};
use crate::{MatrixError, Public};

/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}`
pub async fn download(
    State(media): State<Media>,
    headers: HeaderMap,
    Public { req, .. }: Public<Request>,
) -> Result<Response, MatrixError> {
    let id = media_id(&req.media_id)?;
    let download = media.download((&req.server_name, &id), Access::Legacy, req.timeout_ms).await?;
    send(&download, download.filename.as_deref(), &headers).await
}
