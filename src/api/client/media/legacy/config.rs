use axum::extract::State;
use media::Media;
use ruma::{
    UInt,
    api::client::media::get_media_config::v3::{Request, Response},
};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/media/v3/config`
pub async fn config(State(media): State<Media>, _: Authed<Request>) -> Result<Reply<Response>, MatrixError> {
    Ok(Reply(Response::new(UInt::try_from(media.max_upload_bytes()).unwrap_or(UInt::MAX))))
}
