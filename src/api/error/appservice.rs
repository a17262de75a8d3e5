use appservice::AppserviceError;
use http::StatusCode;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<AppserviceError> for MatrixError {
    fn from(error: AppserviceError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            AppserviceError::NotItsUser | AppserviceError::NotRegistered => {
                because(StatusCode::FORBIDDEN, ErrorCode::Forbidden)
            }
            AppserviceError::UnknownDevice => because(StatusCode::BAD_REQUEST, ErrorCode::UnknownDevice),
            AppserviceError::Exclusive => because(StatusCode::BAD_REQUEST, ErrorCode::Exclusive),
            AppserviceError::Deactivated => because(StatusCode::FORBIDDEN, ErrorCode::UserDeactivated),
            AppserviceError::Locked => Self::locked(),
            AppserviceError::Account(error) => error.into(),
            AppserviceError::Room(error) => error.into(),
            AppserviceError::Store(_) => Self::internal(&error),
        }
    }
}
