use axum::extract::State;
use media::Media;
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::client::media::create_mxc_uri::v1::{Request, Response},
};

use super::target::uri;
use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/media/v1/create`
pub async fn create(
    State(media): State<Media>,
    Authed { user, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let promise = media.create(&user).await?;
    let mut response = Response::new(uri(&media, &promise.id));
    response.unused_expires_at = UInt::try_from(promise.expires).ok().map(MilliSecondsSinceUnixEpoch);
    Ok(Reply(response))
}
