use http::StatusCode;
use media::PreviewError;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<PreviewError> for MatrixError {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Off => Self::unrecognized(),
            PreviewError::BadUrl(_) => Self::invalid_param(error.to_string()),
            PreviewError::Remote(_) => Self::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, error.to_string()),
            PreviewError::Media(error) => error.into(),
            PreviewError::Store(_) => Self::internal(&error),
        }
    }
}
