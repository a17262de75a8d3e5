use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
};
use bytes::Bytes;
use http::{HeaderMap, Uri};
use media::Media;
use ruma::OwnedServerName;

use super::{
    target::media_id,
    upload::{file_info, read_on},
};
use crate::{Caller, MatrixError, RawReply};

/// `PUT /_matrix/media/v3/upload/{serverName}/{mediaId}`
pub async fn upload_to(
    State(media): State<Media>,
    caller: Caller,
    path: Result<Path<(String, String)>, PathRejection>,
    address: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<RawReply, MatrixError> {
    let Path((server, id)) = path.map_err(|error| MatrixError::invalid_param(error.body_text()))?;
    let server: OwnedServerName =
        server.try_into().map_err(|_| MatrixError::invalid_param("serverName is not a server's name"))?;
    let id = media_id(&id)?;
    let info = file_info(&address, &headers)?;
    let mut bytes = body.into_data_stream();
    let stored = media.complete(&caller.user, (&server, &id), info, &mut bytes).await;
    if let Err(error) = stored {
        read_on(&media, bytes).await;
        return Err(error.into());
    }
    // ruma's response has no public constructor.
    Ok(RawReply(Bytes::from_static(b"{}")))
}
