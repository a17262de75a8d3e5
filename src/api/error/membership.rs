use federation::{CallError, MembershipError};
use http::StatusCode;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<MembershipError> for MatrixError {
    fn from(error: MembershipError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            MembershipError::Room(error) => error.into(),
            MembershipError::Call(error) => refused(error),
            MembershipError::NoServer | MembershipError::UnknownUser => {
                because(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            MembershipError::IncompatibleVersion(ref version) => {
                let version = version.to_string();
                because(StatusCode::BAD_REQUEST, "M_INCOMPATIBLE_ROOM_VERSION".into()).with("room_version", version)
            }
            MembershipError::Invalid(_) => because(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam),
            MembershipError::Forbidden(_) | MembershipError::Refused(_) => {
                because(StatusCode::FORBIDDEN, ErrorCode::Forbidden)
            }
        }
    }
}

/// What the other server says of a membership goes to the client: it is about the user, not about us.
fn refused(error: CallError) -> MatrixError {
    match &error {
        CallError::Status { status, errcode: Some(code), error: Some(text), .. }
            if status.is_client_error()
                && !matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS) =>
        {
            MatrixError::new(*status, code.as_str().into(), text.clone())
        }
        _ => error.into(),
    }
}
