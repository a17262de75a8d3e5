use axum::{extract::State, response::Response};
use media::{Access, Media};
use ruma::api::federation::authenticated_media::get_content_thumbnail::v1::Request;

use super::multipart::multipart;
use crate::{
    MatrixError, Signed,
    client::media::target::{media_id, thumbnail_request},
};

/// `GET /_matrix/federation/v1/media/thumbnail/{mediaId}`
pub async fn thumbnail(
    State(media): State<Media>,
    Signed { req, .. }: Signed<Request>,
) -> Result<Response, MatrixError> {
    let id = media_id(&req.media_id)?;
    let wanted = thumbnail_request((req.width, req.height), req.method.as_ref(), req.animated)?;
    let made = media.thumbnail((media.server(), &id), wanted, Access::Authorized, req.timeout_ms).await?;
    multipart(&made).await
}
