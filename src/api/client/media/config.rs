use axum::extract::State;
use media::Media;
use ruma::{
    UInt,
    api::client::authenticated_media::get_media_config::v1::{Request, Response},
};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v1/media/config`
pub async fn config(State(media): State<Media>, _: Authed<Request>) -> Result<Reply<Response>, MatrixError> {
    Ok(Reply(Response::new(UInt::try_from(media.max_upload_bytes()).unwrap_or(UInt::MAX))))
}
