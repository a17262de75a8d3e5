use axum::{extract::State, response::Response};
use flows::Flows;
use http::HeaderMap;
use media::Access;
use ruma::api::client::authenticated_media::get_content::v1::Request;

use super::{send::send, target::media_id};
use crate::{Authed, MatrixError, RateLimits, limits::Key};

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`
pub async fn download(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    headers: HeaderMap,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Response, MatrixError> {
    limits.take_lookup(flows.rooms.server(), &req.server_name, Key::user(&user))?;
    let id = media_id(&req.media_id)?;
    let download = flows.download((&req.server_name, &id), Access::Authorized, req.timeout_ms).await?;
    send(&download, download.filename.as_deref(), &headers).await
}
