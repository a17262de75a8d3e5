use axum::{extract::State, response::Response};
use flows::Flows;
use http::HeaderMap;
use media::Access;
use ruma::api::client::media::get_content_thumbnail::v3::Request;

use super::super::{
    send::send,
    target::{media_id, thumbnail_request},
};
use crate::{MatrixError, Public};

/// `GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}`
pub async fn thumbnail(
    State(flows): State<Flows>,
    headers: HeaderMap,
    Public { req, .. }: Public<Request>,
) -> Result<Response, MatrixError> {
    let id = media_id(&req.media_id)?;
    let wanted = thumbnail_request((req.width, req.height), req.method.as_ref(), req.animated)?;
    let made = flows.thumbnail((&req.server_name, &id), wanted, Access::Legacy, req.timeout_ms).await?;
    send(&made, made.filename.as_deref(), &headers).await
}
