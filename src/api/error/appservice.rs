use appservice::{AppserviceError, PostError};
use http::StatusCode;
use ruma::api::error::ErrorCode;

use crate::MatrixError;

impl From<AppserviceError> for MatrixError {
    fn from(error: AppserviceError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match error {
            AppserviceError::NotItsUser
            | AppserviceError::NotRegistered
            | AppserviceError::NotItself
            | AppserviceError::NotAnAppservice => because(StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            AppserviceError::UnknownDevice => because(StatusCode::BAD_REQUEST, ErrorCode::UnknownDevice),
            AppserviceError::Exclusive => because(StatusCode::BAD_REQUEST, ErrorCode::Exclusive),
            AppserviceError::Deactivated => because(StatusCode::FORBIDDEN, ErrorCode::UserDeactivated),
            AppserviceError::Account(error) => error.into(),
            AppserviceError::Room(error) => error.into(),
            AppserviceError::E2ee(error) => error.into(),
            AppserviceError::Ephemeral(error) => error.into(),
            AppserviceError::Store(_) => Self::internal(&error),
        }
    }
}

/// Application Service API, "Pinging".
impl From<PostError> for MatrixError {
    fn from(error: PostError) -> Self {
        let because = |status, code| Self::new(status, code, error.to_string());
        match &error {
            PostError::NoUrl => because(StatusCode::BAD_REQUEST, ErrorCode::UrlNotSet),
            PostError::Unanswered(_) if error.is_timeout() => {
                because(StatusCode::GATEWAY_TIMEOUT, ErrorCode::ConnectionTimeout)
            }
            PostError::Unanswered(_) | PostError::NotJson => {
                because(StatusCode::BAD_GATEWAY, ErrorCode::ConnectionFailed)
            }
            PostError::Status(status, body) => {
                let fields = serde_json::json!({
                    "errcode": "M_BAD_STATUS",
                    "error": error.to_string(),
                    "status": status.as_u16(),
                    "body": body,
                });
                Self::json(StatusCode::BAD_GATEWAY, fields)
            }
        }
    }
}
