use axum::extract::State;
use bytes::Bytes;
use media::Previews;
use ruma::api::client::authenticated_media::get_media_preview::v1::Request;

use crate::{Authed, MatrixError, RawReply};

/// `GET /_matrix/client/v1/media/preview_url`
pub async fn preview(
    State(previews): State<Previews>,
    Authed { req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let json = previews.preview(&req.url).await?;
    Ok(RawReply(Bytes::copy_from_slice(json.as_bytes())))
}
