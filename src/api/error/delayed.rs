use http::StatusCode;
use room::DelayError;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<DelayError> for MatrixError {
    fn from(error: DelayError) -> Self {
        let because = |status, code: ErrorCode| Self::new(status, code, error.to_string());
        match error {
            DelayError::Unknown => because(StatusCode::NOT_FOUND, ErrorCode::NotFound),
            DelayError::Ended => because(StatusCode::CONFLICT, ErrorCode::Unknown),
            DelayError::TooLong(max) => {
                because(StatusCode::BAD_REQUEST, "M_MAX_DELAY_EXCEEDED".into()).with("max_delay", max)
            }
            DelayError::TooMany(_) => because(StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED".into()),
            DelayError::NotDelayable(_) => because(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam),
            DelayError::Room(error) => error.into(),
            DelayError::Store(_) => Self::internal(&error),
        }
    }
}
