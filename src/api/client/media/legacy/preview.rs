use axum::extract::State;
use bytes::Bytes;
use media::Previews;
use ruma::api::client::media::get_media_preview::v3::Request;

use crate::{Authed, MatrixError, RawReply};

/// `GET /_matrix/media/v3/preview_url`
pub async fn preview(
    State(previews): State<Previews>,
    Authed { req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let json = previews.preview(&req.url).await?;
    Ok(RawReply(Bytes::copy_from_slice(json.as_bytes())))
}
