//! `mxc://` addresses and what else several of the endpoints read.

use media::{Media, MediaId, Method, ThumbnailRequest};
use ruma::{OwnedMxcUri, UInt};

use crate::MatrixError;

/// The address of `id` on this server.
pub fn uri(media: &Media, id: &MediaId) -> OwnedMxcUri {
    format!("mxc://{}/{id}", media.server()).into()
}

/// The media id of a path.
///
/// # Errors
/// 404 when no media can have that id.
pub fn media_id(id: &str) -> Result<MediaId, MatrixError> {
    MediaId::parse(id).ok_or_else(|| MatrixError::not_found("there is no such media: ids are A-Za-z0-9_-"))
}

/// The thumbnail that a query asks for; scaled unless it says otherwise.
///
/// # Errors
/// 400 for a method that the specification does not have.
pub fn thumbnail_request(
    (width, height): (UInt, UInt),
    method: Option<&ruma::media::Method>,
    animated: Option<bool>,
) -> Result<ThumbnailRequest, MatrixError> {
    let method = match method {
        None | Some(ruma::media::Method::Scale) => Method::Scale,
        Some(ruma::media::Method::Crop) => Method::Crop,
        Some(_) => return Err(MatrixError::invalid_param("method must be \"scale\" or \"crop\"")),
    };
    let side = |side| u32::try_from(u64::from(side)).unwrap_or(u32::MAX);
    Ok(ThumbnailRequest { width: side(width), height: side(height), method, animated: animated == Some(true) })
}
