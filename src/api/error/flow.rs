use flows::FlowError;
use http::StatusCode;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<FlowError> for MatrixError {
    fn from(error: FlowError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            FlowError::Room(error) => error.into(),
            FlowError::Account(error) => error.into(),
            FlowError::Profile(error) => error.into(),
            FlowError::Push(error) => error.into(),
            FlowError::Remote(error) => error.into(),
            FlowError::Membership(error) => error.into(),
            FlowError::InviteBlocked => because(StatusCode::FORBIDDEN, ErrorCode::InviteBlocked),
            FlowError::NoNotices => because(StatusCode::BAD_REQUEST, ErrorCode::Unknown),
            FlowError::NoticesRoom => because(StatusCode::FORBIDDEN, ErrorCode::CannotLeaveServerNoticeRoom),
            FlowError::UnknownUser => because(StatusCode::NOT_FOUND, ErrorCode::NotFound),
            FlowError::Unfederated => because(StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            FlowError::GuestsForbidden => because(StatusCode::FORBIDDEN, ErrorCode::GuestAccessForbidden),
            FlowError::Store(_) => Self::internal(&error),
        }
    }
}
