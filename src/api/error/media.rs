use http::StatusCode;
use media::Error;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<Error> for MatrixError {
    fn from(error: Error) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            Error::NotLocal | Error::NotFound => because(StatusCode::NOT_FOUND, ErrorCode::NotFound),
            Error::NotYetUploaded => because(StatusCode::GATEWAY_TIMEOUT, ErrorCode::NotYetUploaded),
            Error::NotYours => because(StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            Error::AlreadyUploaded => because(StatusCode::CONFLICT, ErrorCode::CannotOverwriteMedia),
            Error::TooManyPending => because(StatusCode::TOO_MANY_REQUESTS, ErrorCode::LimitExceeded),
            Error::TooLarge { .. } => because(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge),
            Error::QuotaExceeded { .. } => because(StatusCode::FORBIDDEN, ErrorCode::ResourceLimitExceeded),
            Error::CannotThumbnail(_) | Error::Body(_) => because(StatusCode::BAD_REQUEST, ErrorCode::Unknown),
            Error::Remote(_) => because(StatusCode::BAD_GATEWAY, ErrorCode::Unknown),
            Error::RemoteTooLarge { .. } => because(StatusCode::BAD_GATEWAY, ErrorCode::TooLarge),
            Error::Disk(_) | Error::Store(_) => Self::internal(&error),
        }
    }
}
