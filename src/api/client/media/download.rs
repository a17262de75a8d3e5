use axum::{extract::State, response::Response};
use flows::Flows;
use http::HeaderMap;
use media::Access;
use ruma::api::client::authenticated_media::get_content::v1::Request;

use super::{send::send, target::media_id};
use crate::{Authed, MatrixError};

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`
pub async fn download(
    State(flows): State<Flows>,
    headers: HeaderMap,
    Authed { req, .. }: Authed<Request>,
) -> Result<Response, MatrixError> {
    let id = media_id(&req.media_id)?;
    let download = flows.download((&req.server_name, &id), Access::Authorized, req.timeout_ms).await?;
    send(&download, download.filename.as_deref(), &headers).await
}
