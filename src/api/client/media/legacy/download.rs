use axum::{extract::State, response::Response};
use flows::Flows;
use http::HeaderMap;
use media::Access;
use ruma::api::client::media::get_content::v3::Request;

use super::super::{send::send, target::media_id};
use crate::{MatrixError, Public};

/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}`
pub async fn download(
    State(flows): State<Flows>,
    headers: HeaderMap,
    Public { req, .. }: Public<Request>,
) -> Result<Response, MatrixError> {
    let id = media_id(&req.media_id)?;
    let download = flows.download((&req.server_name, &id), Access::Legacy, req.timeout_ms).await?;
    send(&download, download.filename.as_deref(), &headers).await
}
