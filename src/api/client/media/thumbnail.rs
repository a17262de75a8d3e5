use axum::{extract::State, response::Response};
use flows::Flows;
use http::HeaderMap;
use media::Access;
use ruma::api::client::authenticated_media::get_content_thumbnail::v1::Request;

use super::{
    send::send,
    target::{media_id, thumbnail_request},
};
use crate::{Authed, MatrixError, RateLimits, limits::Key};

/// `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}`
pub async fn thumbnail(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    headers: HeaderMap,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Response, MatrixError> {
    limits.take_lookup(flows.rooms.server(), &req.server_name, Key::user(&user))?;
    let id = media_id(&req.media_id)?;
    let wanted = thumbnail_request((req.width, req.height), req.method.as_ref(), req.animated)?;
    let made = flows.thumbnail((&req.server_name, &id), wanted, Access::Authorized, req.timeout_ms).await?;
    send(&made, made.filename.as_deref(), &headers).await
}
