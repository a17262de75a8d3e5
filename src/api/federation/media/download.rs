use axum::{extract::State, response::Response};
use media::{Access, Media};
use ruma::api::federation::authenticated_media::get_content::v1::Request;

use super::multipart::multipart;
use crate::{MatrixError, Signed, client::media::target::media_id};

/// `GET /_matrix/federation/v1/media/download/{mediaId}`
pub async fn download(
    State(media): State<Media>,
    Signed { req, .. }: Signed<Request>,
) -> Result<Response, MatrixError> {
    let id = media_id(&req.media_id)?;
    let file = media.download((media.server(), &id), Access::Authorized, req.timeout_ms).await?;
    multipart(&file).await
}
